// node bench/rivals/bare-rows.ts PORT DATABASE: one route that answers 20 rows of a prepared statement, and nothing else.
import Fastify from "fastify";
import { Pool } from "pg";

const [port, database = ""] = process.argv.slice(2);
const pool = new Pool({ connectionString: database, max: 20 });
const text = "select id, address, inserted_at from sample_us_users order by id limit 20";
const app = Fastify();
app.get("/rows", async () => (await pool.query({ name: "rows", text })).rows);
await app.listen({ host: "127.0.0.1", port: Number(port) });
