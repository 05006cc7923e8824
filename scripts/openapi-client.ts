// npm run openapi: asks a server for its OpenAPI document, keeps it as docs/openapi.json, and generates from it the
// typed client that the tests call the server with (test/http/fixtures/client.ts). A test compares both with what they should be.
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { applications } from "../apps/index.ts";
import { startServer } from "../src/http/server.ts";
import { clientText, type Document } from "./openapi/client-text.ts";
import { formatted } from "./openapi/formatted.ts";

const root = join(import.meta.dirname, "..");
const { version } = JSON.parse(readFileSync(join(root, "package.json"), "utf8")) as { readonly version: string };

async function askServer(data: string): Promise<Document> {
  const server = await startServer({
    applications,
    config: { file: undefined },
    data,
    flags: ["http.port=0"],
    environment: {},
    version,
    log: () => undefined,
    onEvent: () => undefined,
  });
  try {
    return (await (await fetch(`${server.url}/openapi.json`)).json()) as Document;
  } finally {
    await server.close();
  }
}

const data = mkdtempSync(join(tmpdir(), "millrace-openapi-"));
try {
  const document = await askServer(data);
  writeFileSync(join(root, "docs", "openapi.json"), formatted(JSON.stringify(document), "openapi.json"));
  writeFileSync(join(root, "test", "http", "fixtures", "client.ts"), formatted(clientText(document), "client.ts"));
} finally {
  rmSync(data, { recursive: true, force: true });
}
