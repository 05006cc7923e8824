import { createHash } from "node:crypto";
import { existsSync } from "node:fs";
import { readdir, readFile } from "node:fs/promises";
import { extname, join, relative, sep } from "node:path";
import { fileURLToPath } from "node:url";
import type { FastifyInstance, FastifyReply } from "fastify";
import { limit } from "../core/limit.ts";
import { strictPolicy } from "./protection.ts";

const types: Readonly<Record<string, string>> = {
  ".html": "text/html; charset=utf-8",
  ".js": "text/javascript; charset=utf-8",
  ".css": "text/css; charset=utf-8",
  ".json": "application/json",
  ".svg": "image/svg+xml",
  ".png": "image/png",
  ".ico": "image/x-icon",
  ".woff2": "font/woff2",
};

interface ConsoleFile {
  readonly content: Buffer;
  readonly type: string;
  readonly etag: string;
  /** Its name changes with what is in it. */
  readonly isFixed: boolean;
}

const page = "index.html";
const notBuilt = `<!doctype html><html lang="en"><meta charset="utf-8"><title>Millrace</title>
<h1>The console is not built</h1><p>Run <code>npm run build</code> where Millrace was taken from its source. The service
works without it: its routes are at <a href="/docs">/docs</a>.</p></html>
`;

/** Folders in which the console may lie: beside `src` in the package, else what was built. */
const folders = ["../../console/", "../../dist/console/", "../../console/dist/"].map(
  (path) => new URL(path, import.meta.url),
);

/** A folder with a package.json holds the source of a page, not a page. */
function builtFolder(): URL | undefined {
  return folders.find((folder) => existsSync(new URL(page, folder)) && !existsSync(new URL("package.json", folder)));
}

/** The console's files, read once, at `/console/…`; paths that name no file get its page, which finds its way itself. */
export async function addConsole(app: FastifyInstance): Promise<void> {
  const folder = builtFolder();
  const files = folder === undefined ? new Map<string, ConsoleFile>() : await filesOf(folder);
  app.get("/console", { schema: { hide: true } }, (_, reply) => sendPage(reply, files.get(page)));
  app.get("/console/*", { schema: { hide: true } }, (request, reply) => {
    const path = (request.params as { readonly "*": string })["*"];
    const file = files.get(path);
    if (file === undefined && extname(path) !== "") return reply.callNotFound();
    if (file === undefined || path === page) return sendPage(reply, files.get(page));
    reply.header("cache-control", file.isFixed ? "public, max-age=31536000, immutable" : "no-cache");
    if (request.headers["if-none-match"] === file.etag) return reply.code(304).header("etag", file.etag).send();
    return reply.header("etag", file.etag).type(file.type).send(file.content);
  });
}

function sendPage(reply: FastifyReply, file: ConsoleFile | undefined): FastifyReply {
  reply.header("cache-control", "no-cache").header("content-security-policy", strictPolicy);
  reply.type(types[".html"] ?? "");
  return file === undefined ? reply.code(503).send(notBuilt) : reply.send(file.content);
}

/** By their paths below the folder. What is more than a console is left out. */
async function filesOf(folder: URL): Promise<ReadonlyMap<string, ConsoleFile>> {
  const root = fileURLToPath(folder);
  const found = await readdir(root, { recursive: true, withFileTypes: true });
  const files = new Map<string, ConsoleFile>();
  for (const { name, parentPath } of found.filter((one) => one.isFile())) {
    const type = types[extname(name)];
    if (type === undefined || files.size >= limit.consoleFiles) continue;
    const path = join(parentPath, name);
    const content = await readFile(path);
    const etag = `"${createHash("sha256").update(content).digest("base64url").slice(0, 22)}"`;
    files.set(relative(root, path).split(sep).join("/"), {
      content,
      type,
      etag,
      isFixed: /-[\w-]{8,}\.\w+$/.test(name),
    });
  }
  return files;
}
