import { execFile } from "node:child_process";
import { createHash, generateKeyPairSync } from "node:crypto";
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { replicas } from "../../../apps/replicas/application.ts";
import { ServedScene } from "../../http/scene.ts";

export interface PublicKey {
  /** As a line of `authorized_keys`. */
  readonly line: string;
  /** As `ssh-keygen -lf` shows it, without `SHA256:`. */
  readonly fingerprint: string;
}

export function newKey(): PublicKey {
  const { publicKey } = generateKeyPairSync("ed25519");
  const raw = publicKey.export({ type: "spki", format: "der" }).subarray(-32);
  const part = (bytes: Uint8Array): Buffer => {
    const length = Buffer.alloc(4);
    length.writeUInt32BE(bytes.length);
    return Buffer.concat([length, bytes]);
  };
  const blob = Buffer.concat([part(Buffer.from("ssh-ed25519")), part(raw)]);
  const fingerprint = createHash("sha256").update(blob).digest("base64").replace(/=$/, "");
  return { line: `ssh-ed25519 ${blob.toString("base64")} somebody@example`, fingerprint };
}

/** The application alone, served from an empty data folder, with one approved key; nothing is registered by schedule. */
export class ReplicasScene implements AsyncDisposable {
  readonly served: ServedScene;
  readonly key: PublicKey;

  private constructor(served: ServedScene, key: PublicKey) {
    this.served = served;
    this.key = key;
  }

  static async open(...flags: readonly string[]): Promise<ReplicasScene> {
    const served = await ServedScene.open([replicas], "http.rateLimit=0", "replicas.schedule=", ...flags);
    const key = newKey();
    await writeFile(join(served.data, "replicas.keys"), `# approved\n${key.line}\n`);
    return new ReplicasScene(served, key);
  }

  path(name: string): string {
    return join(this.served.data, "IN_STREAM", name);
  }

  write(name: string, content: string | Uint8Array): Promise<void> {
    return writeFile(this.path(name), content);
  }

  async announce(fileName: string, more: Readonly<Record<string, string>> = {}): Promise<void> {
    const ticket = { file_name: fileName, status: "READY", load_dttm: "2022-02-22:19:35:32", ...more };
    await this.write(`${fileName.split(".")[0]}.ticket`, JSON.stringify(ticket, null, 4));
  }

  async ticket(name: string): Promise<Readonly<Record<string, unknown>>> {
    return JSON.parse(await readFile(this.path(`${name}.ticket`), "utf8")) as Record<string, unknown>;
  }

  async text(path: string, body?: string, headers: Readonly<Record<string, string>> = {}): Promise<string> {
    const init = { headers, ...(body === undefined ? {} : { method: "POST", body }) };
    return (await fetch(new URL(path, this.served.server.url), init)).text();
  }

  async approve(headers: Readonly<Record<string, string>> = {}): Promise<Response> {
    const body = JSON.stringify({ md5_key: this.key.fingerprint });
    return fetch(new URL("/check_fingerprint", this.served.server.url), { method: "POST", body, headers });
  }

  /** Approved, registered and loaded. */
  async load(body = ""): Promise<string> {
    await this.approve();
    await this.text("/register_replicas");
    return this.text("/loadDf2redis", body);
  }

  async rows(replica: string, topn = -1): Promise<unknown> {
    return JSON.parse(await this.text("/getTopNFromReplica", `?replica=${replica}&topn=${topn}`));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.served[Symbol.asyncDispose]();
  }
}

/** What curl prints. */
export async function curl(...args: readonly string[]): Promise<string> {
  const { stdout } = await promisify(execFile)("curl", ["--silent", "--max-time", "60", ...args]);
  return stdout;
}

/** `id,address,inserted_at`, ids from `first` on. */
export function usersCsv(rows: number, first = 1): string {
  const lines = Array.from({ length: rows }, (_, row) => {
    const day = String(1 + (row % 28)).padStart(2, "0");
    return `${first + row},"{""city"": ""Town ${row}"", ""state"": ""California""}",2022-02-${day}`;
  });
  return ["id,address,inserted_at", ...lines, ""].join("\n");
}
