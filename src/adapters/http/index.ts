export { webhookNotifier } from "./webhook.ts";
