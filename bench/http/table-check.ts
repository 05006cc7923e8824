import { Client } from "pg";
import { expectCounts } from "../contestant.ts";
import { parentOf } from "./cpu.ts";
import { UploadForm, type UploadSums } from "./upload-form.ts";

export const uploadTable = "hired_employees";

/** A look at the table that uploads go to, beside the contestant. */
export class TableCheck {
  readonly #client: Client;
  readonly #sums: UploadSums = new UploadForm().sums;

  constructor(url: string) {
    this.#client = new Client({ connectionString: url });
  }

  async open(): Promise<void> {
    await this.#client.connect();
  }

  /** The server's first process. Undefined where it cannot be told. */
  async serverPid(): Promise<number | undefined> {
    if (process.platform !== "linux") return undefined;
    return parentOf(await this.count("select pg_backend_pid()"));
  }

  async close(): Promise<void> {
    await this.#client.end();
  }

  async run(sql: string): Promise<void> {
    await this.#client.query(sql);
  }

  async empty(): Promise<void> {
    await this.run(`truncate ${uploadTable}`);
    await this.run("checkpoint");
  }

  /** Throws unless the table holds the good records of so many uploads with ids of their own, with all their values. */
  async verify(name: string, uploads: number): Promise<void> {
    const { rows: answer } = await this.#client.query<Record<keyof UploadSums, string>>(
      `select count(*) as rows, sum(department_id) as departments, sum(job_id) as jobs, sum(length(name)) as "nameChars",
         sum(extract(epoch from datetime)) as seconds from ${uploadTable}`,
    );
    const found = Object.entries(answer[0] ?? {}).map(([what, value]): [string, number] => [what, Number(value)]);
    const wanted = Object.entries(this.#sums).map(([what, value]): [string, number] => [what, Number(value) * uploads]);
    expectCounts(name, Object.fromEntries(found), Object.fromEntries(wanted));
  }

  async count(sql: string): Promise<number> {
    return Number((await this.#client.query<{ n: string }>(`select (${sql}) as n`)).rows[0]?.n);
  }
}
