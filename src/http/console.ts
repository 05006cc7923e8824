import { readFile } from "node:fs/promises";
import { existsSync } from "node:fs";
import type { FastifyInstance } from "fastify";

declare module "fastify" {
  interface FastifyReply {
    /** Sends the console's page. */
    sendPage(this: FastifyReply): FastifyReply;
  }
}

const types = {
  html: "text/html; charset=utf-8",
  js: "text/javascript; charset=utf-8",
  css: "text/css; charset=utf-8",
  svg: "image/svg+xml",
};

/** The files of the console, read once: `/console/…`, and the page itself at `/` for browsers. */
const files = { "index.html": types.html, "console.js": types.js, "console.css": types.css } as const;

/** In the package the console lies beside `src`, as it does in the repository. */
function folder(): URL {
  return new URL("../../console/", import.meta.url);
}

export async function addConsole(app: FastifyInstance): Promise<void> {
  const contents = new Map<string, Buffer>();
  for (const name of Object.keys(files)) {
    const file = new URL(name, folder());
    if (existsSync(file)) contents.set(name, await readFile(file));
  }
  app.decorateReply("sendPage", function sendPage() {
    return this.header("cache-control", "no-cache").type(types.html).send(contents.get("index.html"));
  });
  app.get("/console/:file", { schema: { hide: true } }, async (request, reply) => {
    const { file } = request.params as { readonly file: keyof typeof files };
    const content = contents.get(file);
    if (content === undefined) return reply.callNotFound();
    return reply.header("cache-control", "no-cache").type(files[file]).send(content);
  });
}
