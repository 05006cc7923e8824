import { chmodSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { integer, pipeline, run, type RunSummary, table, text } from "../../../src/index.ts";
import type { SourceOptions } from "../../../src/core/pipeline.ts";
import { type FtpServer, startFtp } from "../../servers/ftp.ts";
import { describeWith } from "../../servers/not-run.ts";
import { putFile } from "./folder.ts";

describeWith("ftp", "a pipeline whose files lie on an FTP server", () => {
  let server: FtpServer;
  let local: string;
  beforeAll(async () => {
    server = await startFtp();
    local = mkdtempSync(join(tmpdir(), "millrace-ftp-pipeline-"));
  });
  afterAll(async () => {
    await server.stop();
    rmSync(local, { recursive: true });
  });

  const people = table("people", { id: integer().key(), name: text() });
  const rows = (count: number): string => Array.from({ length: count }, (_, row) => `${row},name ${row}\n`).join("");
  const loaded = async (
    folder: string,
    options: SourceOptions,
  ): Promise<{ readonly summary: RunSummary; readonly notices: readonly string[] }> => {
    const notices: string[] = [];
    const flow = pipeline(folder)
      .from(`${server.url}${folder}/*.csv`, { header: false, ...options })
      .check(people)
      .to(`duckdb:${join(local, `${folder}.duckdb`)}`);
    const summary = await run(flow, {
      onEvent: (event) => {
        if (event.event === "notice") notices.push(event.text);
      },
    });
    return { summary, notices };
  };
  const names = (folder: string): string[] =>
    readdirSync(join(server.files, folder), { recursive: true, encoding: "utf8" }).toSorted();

  it("reads what tickets announce, in parts, and archives both once it is loaded", async () => {
    putFile(server.files, "tickets/a.csv", rows(1_000_000));
    putFile(server.files, "tickets/b.csv", "2000000,of no ticket\n");
    const ticket = { file_name: "a.csv", status: "READY", load_dttm: "2022-02-22:19:35:32" };
    putFile(server.files, "tickets/a.ticket", JSON.stringify(ticket));
    const options = { ready: "ticket", settle: "archive", parallel: 2 } as const;
    const { summary } = await loaded("tickets", options);
    expect([summary.loaded, summary.rejected]).toEqual([1_000_000, 0]);
    expect(names("tickets")).toEqual(["b.csv", "done", "done/a.csv", "done/a.ticket"]);
    expect(readFileSync(join(server.files, "tickets/done/a.ticket"), "utf8")).toContain("PROCESSED");
  }, 120_000);

  it.runIf(process.getuid?.() === 0)(
    "that takes nothing says so once, and loads no file twice",
    async () => {
      putFile(server.files, "fixed/a.csv", rows(3));
      putFile(server.files, "fixed/b.csv", "7,seven\n");
      chmodSync(join(server.files, "fixed"), 0o555);
      const first = await loaded("fixed", { settle: "archive" });
      const second = await loaded("fixed", { settle: "archive" });
      expect([first.summary.loaded, second.summary.loaded]).toEqual([4, 0]);
      const told = [first, second].map(
        ({ notices }) => notices.filter((said) => /stays where it is/.test(said)).length,
      );
      expect(told).toEqual([1, 1]);
    },
    60_000,
  );
});
