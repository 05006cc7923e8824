export { rabbitmqQueue } from "./queue.ts";
