// node bench/rivals/bare-fastify.ts PORT FILE: one route that answers the bytes of FILE, and nothing else: no plugin, no
// hook, no log, no validation.
import { readFileSync } from "node:fs";
import Fastify from "fastify";

const [port, file = ""] = process.argv.slice(2);
const body = readFileSync(file);
const app = Fastify();
app.get("/insights", (_, reply) => reply.header("content-type", "application/json; charset=utf-8").send(body));
await app.listen({ host: "127.0.0.1", port: Number(port) });
