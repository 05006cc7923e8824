export { schemaRegistry } from "./registry.ts";
