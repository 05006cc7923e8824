import { createHash, generateKeyPairSync } from "node:crypto";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileReplicas } from "../../src/adapters/file/index.ts";
import { parsePlace } from "../../src/core/place.ts";
import type { ReplicaEntry, Replicas } from "../../src/ports/replicas.ts";
import { adapterContext } from "../../src/runtime/context.ts";
import { freePort } from "../../test/servers/place.ts";
import { type Service, startService } from "../http/service.ts";
import { program } from "../millrace.ts";

/** The replica service, and a way to fill its cache. */
export interface Cache extends AsyncDisposable {
  readonly service: Service;
  readonly fingerprint: string;
  /** Also keeps the caller's address approved. */
  fill(rows: number): Promise<void>;
  left(): Promise<number>;
}

const table = "sample_us_users";

export async function startCache(folder: string): Promise<Cache> {
  const { line, fingerprint } = newKey();
  await writeFile(join(folder, "keys"), `${line}\n`);
  const port = await freePort();
  const settings = [`replicas.keys=${join(folder, "keys")}`, "http.rateLimit=0", "replicas.schedule="];
  const flags = ["start", "--apps", "replicas", "--port", String(port), "--data", folder];
  const args = [program, ...flags, ...settings.flatMap((one) => ["--set", one])];
  const service = await startService({
    name: "replicas",
    folder,
    port,
    command: process.execPath,
    args,
    readyPath: "/readyz",
  });
  const noEngine = {
    connect: () => Promise.reject(new Error("no engine here")),
    uniqueName: (prefix: string) => prefix,
  };
  const replicas = fileReplicas(
    parsePlace(`file:${join(folder, "replicas.db")}`),
    adapterContext(noEngine, () => undefined),
  );
  await replicas.open();
  return {
    service,
    fingerprint,
    fill: (rows) => fill(replicas, rows, service, fingerprint),
    left: async () => (await replicas.look(table))?.rows ?? 0,
    [Symbol.asyncDispose]: async () => {
      await replicas.close();
      await service.stop();
    },
  };
}

async function fill(replicas: Replicas, rows: number, { url }: Service, fingerprint: string): Promise<void> {
  const meta = new Map([
    ["DB_NAME", table],
    ["COLUMNS", '["id","address","inserted_at"]'],
  ]);
  await replicas.write(table, { id: `${rows} ${performance.now()}`, meta, entries: entriesOf(rows) });
  await fetch(`${url}/check_fingerprint`, { method: "POST", body: JSON.stringify({ md5_key: fingerprint }) });
}

async function* entriesOf(rows: number): AsyncGenerator<readonly ReplicaEntry[]> {
  for (let at = 0; at < rows; at += 1_000) {
    yield Array.from({ length: Math.min(1_000, rows - at) }, (_, row) => entryOf(at + row));
  }
}

/** Keys are uuids in no order, as they would be. */
function entryOf(row: number): ReplicaEntry {
  const hash = createHash("md5").update(String(row)).digest("hex");
  const key = hash.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, "$1-$2-$3-$4-$5");
  const address = JSON.stringify({
    city: `Town ${row % 997}`,
    state: "California",
    country: "US",
    postCode: String(10_000 + (row % 89_999)),
  });
  const time = new Date(Date.UTC(2020, 4, 3) + row * 1_234).toISOString().replace("T", " ").replace("Z", "");
  return { key, value: JSON.stringify([address, time]) };
}

function newKey(): { readonly line: string; readonly fingerprint: string } {
  const { publicKey } = generateKeyPairSync("ed25519");
  const raw = publicKey.export({ type: "spki", format: "der" }).subarray(-32);
  const sized = (bytes: Uint8Array): Buffer => {
    const length = Buffer.alloc(4);
    length.writeUInt32BE(bytes.length);
    return Buffer.concat([length, bytes]);
  };
  const blob = Buffer.concat([sized(Buffer.from("ssh-ed25519")), sized(raw)]);
  const fingerprint = createHash("sha256").update(blob).digest("base64").replace(/=$/, "");
  return { line: `ssh-ed25519 ${blob.toString("base64")} bench`, fingerprint };
}
