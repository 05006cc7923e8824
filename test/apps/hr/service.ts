import type { ChildProcess } from "node:child_process";
import { mkdir } from "node:fs/promises";
import { Session } from "../../../src/runtime/session.ts";
import { type Answer, ended, lineWith, Workplace } from "../../cli/cli.ts";
import { drop, hold } from "../../servers/keep.ts";
import { multipart, type Part } from "./multipart.ts";
import { readReply, type Reply, type UploadAnswer } from "./reply.ts";

export interface Credentials {
  readonly username: string;
  readonly password: string;
}

export type Role = "reader" | "writer" | "admin";

/** The user whom every service has. */
export const admin: Credentials = { username: "ada", password: "ada counts 1815 engines" };

export interface ServiceOptions {
  /** The URL of `hr.to`; the standard place when absent. */
  readonly to?: string;
  /** More settings, over no rate limit; `folder` is the one in which the service is started. */
  readonly settings?: (folder: string) => Readonly<Record<string, string | number>>;
  readonly environment?: Readonly<Record<string, string>>;
  /** More of the command line. */
  readonly flags?: readonly string[];
  /** Files of the folder in which it is started, such as its configuration. */
  readonly files?: Readonly<Record<string, string>>;
  /** What no answer may hold, besides the passwords and the folder. */
  readonly secrets?: readonly string[];
}

export interface Upload {
  readonly name: string;
  readonly content: string | Uint8Array;
  /** The content type of the file part; `undefined` leaves it out, standard is text/csv. */
  readonly type?: string | undefined;
  /** Such as `?mode=append`. */
  readonly query?: string;
  readonly who?: Credentials;
}

export interface Ask extends RequestInit {
  /** Sent by HTTP Basic. */
  readonly who?: Credentials;
  readonly withinMs?: number;
}

interface Running {
  readonly child: ChildProcess;
  readonly answer: Promise<Answer>;
}

export function basic({ username, password }: Credentials): string {
  return `Basic ${Buffer.from(`${username}:${password}`).toString("base64")}`;
}

export function fieldsOf({ username, password }: Credentials): Part[] {
  return [
    { name: "username", value: username },
    { name: "password", value: password },
  ];
}

export function filePart({ name, content, ...more }: Upload): Part {
  return { name: "file", value: content, filename: name, type: "type" in more ? more.type : "text/csv" };
}

/** The real process of `millrace start`, in an empty folder, with one user who may do everything. */
export class HrService implements AsyncDisposable {
  readonly workplace: Workplace;
  /** The place with the tables, as the command line names it. */
  readonly to: string;
  readonly #options: ServiceOptions;
  readonly #hidden: readonly string[];
  #running: Running | undefined;
  #url = "";

  private constructor(workplace: Workplace, options: ServiceOptions) {
    this.workplace = workplace;
    this.to = options.to ?? `duckdb:${workplace.path("data/hr.duckdb")}`;
    this.#options = options;
    const password = options.to === undefined ? "" : new URL(options.to).password;
    this.#hidden = [workplace.folder, admin.password, password, ...(options.secrets ?? [])].filter(
      (text) => text !== "",
    );
  }

  static async open(options: ServiceOptions = {}): Promise<HrService> {
    const service = new HrService(await Workplace.open(), options);
    hold(service.workplace.folder);
    try {
      await mkdir(service.inbox, { recursive: true });
      for (const [name, text] of Object.entries(options.files ?? {})) await service.workplace.write(name, text);
      await service.addUser(admin, "admin");
      await service.start();
    } catch (error) {
      await service.kill();
      await service.#remove();
      throw error;
    }
    return service;
  }

  get data(): string {
    return this.workplace.path("data");
  }

  get inbox(): string {
    return this.workplace.path("data/inbox");
  }

  /** Where it listens, or did until it was ended. */
  get url(): string {
    return this.#url;
  }

  /** Of the process that was started; undefined while it does not run. */
  get pid(): number | undefined {
    return this.#running?.child.pid;
  }

  get isRunning(): boolean {
    return this.#running !== undefined;
  }

  async start(): Promise<void> {
    const { to, settings, environment, flags: more = [] } = this.#options;
    const place = to === undefined ? {} : { "hr.to": to };
    const all = { "http.rateLimit": 0, ...place, ...settings?.(this.workplace.folder) };
    const flags = Object.entries(all).flatMap(([name, value]) => ["--set", `${name}=${value}`]);
    const child = this.workplace.start(["start", "--port", "0", "--data", this.data, ...flags, ...more], environment);
    if (child.pid !== undefined) hold(child.pid);
    const answer = ended(child);
    const line = await lineWith(child, "http://127.0.0.1:").catch(async (error: unknown) => {
      throw new Error(`it did not start: ${(await answer).stderr}`, { cause: error });
    });
    this.#url = /http:\/\/127\.0\.0\.1:\d+/.exec(line)?.[0] ?? "";
    this.#running = { child, answer };
  }

  /** Asks it to end and gives what it said until then; killed, and without a code, when it takes longer. */
  stop(withinMs = 20_000): Promise<Answer> {
    return this.#end("SIGTERM", withinMs);
  }

  /** As a power cut would. */
  kill(): Promise<Answer> {
    return this.#end("SIGKILL", 0);
  }

  async #end(signal: NodeJS.Signals, withinMs: number): Promise<Answer> {
    if (this.#running === undefined) return { code: 0, stdout: "", stderr: "" };
    const { child, answer } = this.#running;
    this.#running = undefined;
    child.kill(signal);
    const late = setTimeout(() => child.kill("SIGKILL"), withinMs);
    const said = await answer;
    clearTimeout(late);
    if (child.pid !== undefined) drop(child.pid);
    return said;
  }

  async #remove(): Promise<void> {
    await this.workplace[Symbol.asyncDispose]();
    drop(this.workplace.folder);
  }

  /** Ends it; throws when it does not end in order. */
  async [Symbol.asyncDispose](): Promise<void> {
    const { code, stderr } = await this.stop();
    await this.#remove();
    if (code !== 0) throw new Error(`SIGTERM ended it with ${code}: ${stderr}`);
  }

  /** The command line in the same folder, beside the running service. */
  millrace(...args: readonly string[]): Promise<Answer> {
    return this.workplace.millrace(...args);
  }

  async addUser({ username, password }: Credentials, role: Role): Promise<void> {
    const args = ["user", "add", username, "--role", role, "--password", password, "--data", this.data];
    const { code, stderr } = await this.millrace(...args);
    if (code !== 0) throw new Error(`the user ${username} was not added: ${stderr}`);
  }

  async request(path: string, { who, withinMs = 20_000, headers, ...init }: Ask = {}): Promise<Reply> {
    const all = new Headers(headers);
    if (who !== undefined) all.set("authorization", basic(who));
    const signal = AbortSignal.timeout(withinMs);
    return readReply(await fetch(`${this.url}${path}`, { signal, ...init, headers: all }), this.#hidden);
  }

  send(path: string, parts: readonly Part[], more: Ask = {}): Promise<Reply> {
    const { type, bytes } = multipart(parts);
    return this.request(path, { method: "POST", body: bytes, headers: { "content-type": type }, ...more });
  }

  /** Uploads a file with the credentials in the form, as the callers' scripts do. */
  upload(upload: Upload, more: Ask = {}): Promise<Reply> {
    const parts = [...fieldsOf(upload.who ?? admin), filePart(upload)];
    return this.send(`/upload${upload.query ?? ""}`, parts, more);
  }

  /** The answer to an upload that was taken. */
  async uploaded(upload: Upload, more: Ask = {}): Promise<UploadAnswer> {
    const { status, text, body } = await this.upload(upload, more);
    if (status !== 200) throw new Error(`${upload.name} was not taken: ${status} ${text}`);
    return body as UploadAnswer;
  }

  /** Rows of the place, read as any process reads them while the service has it. */
  async query(sql: string): Promise<Readonly<Record<string, unknown>>[]> {
    const session = await Session.open({ notice: () => undefined, memoryBytes: 256 * 2 ** 20 });
    try {
      const sink = await session.sink(this.to);
      const rows: Readonly<Record<string, unknown>>[] = [];
      for await (const piece of sink.query(sql)) rows.push(...piece);
      return rows;
    } finally {
      await session.close();
    }
  }

  async count(table: string, where = "true"): Promise<number> {
    return Number((await this.query(`select count(*) as n from ${table} where ${where}`))[0]?.["n"]);
  }
}
