export { emlNotifier } from "./eml.ts";
export { smtpNotifier } from "./notifier.ts";
