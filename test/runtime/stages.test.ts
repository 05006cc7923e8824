import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { Pipeline, ViaOptions } from "../../src/core/pipeline.ts";
import {
  bigint,
  date,
  decimal,
  double,
  integer,
  json,
  pipeline,
  table,
  text,
  timestamp,
  uuid,
} from "../../src/index.ts";
import type { EngineRow } from "../../src/ports/engine.ts";
import type { KeptRecord } from "../../src/ports/log.ts";
import { inspectPipeline } from "../../src/runtime/inspection.ts";
import { runIn } from "../../src/runtime/run.ts";
import { openLog } from "../../src/runtime/schemes.ts";
import { Session } from "../../src/runtime/session.ts";
import { chosenStages, stagesOf } from "../../src/runtime/stages.ts";
import { tracePlace, traceRow } from "../../src/runtime/trace.ts";

const things = table("things", {
  id: integer().key(),
  name: text(),
  moment: timestamp(),
  day: date(),
  net: decimal(38, 10),
  big: bigint(),
  ratio: double(),
  tag: uuid(),
  doc: json().nullable(),
});

const uuidText = "0f0e0d0c-0b0a-4908-8706-050403020100";
const awkward = [
  `1,"a ""b""\n\uFEFFc",2021-11-07T02:48:42.123456Z,2021-02-28,1234567890123456789012345678.0123456789,9223372036854775807,0.1,${uuidText},"{""a"":12345678901234567890}"`,
  `2,"",0001-01-01T00:00:00Z,9999-12-31,-0.0000000001,-9223372036854775808,1.7976931348623157e308,${uuidText},"""text"""`,
  `3,x,2021-11-07T02:48:42Z,2021-02-28,0,9007199254740993,-2.5e-300,${uuidText},[null]`,
  `4,x,2021-11-07T02:48:42Z,2021-02-28,0,1,12345678.12345678901,${uuidText},`,
  `5,drop,2021-11-07T02:48:42Z,2021-02-28,0,1,1,${uuidText},1`,
  `six,x,2021-11-07T02:48:42Z,2021-02-28,0,1,1,${uuidText},1`,
];

let folder: string;
let session: Session;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "millrace-stages-"));
  session = await Session.open({ notice: () => undefined, data: join(folder, "data"), memoryBytes: 300 * 2 ** 20 });
});
afterEach(async () => {
  await session.close();
  await rm(folder, { recursive: true, force: true });
});

const at = (name: string): string => join(folder, name);

function flow(name = "things") {
  return pipeline(name).from(at("in.csv"), { header: false }).check(things).sql<{
    twice: string;
  }>`select *, net * 2 as twice from batch where name <> 'drop'`;
}

const cut = (options: ViaOptions = {}): Pipeline =>
  flow().via(`log:${at("a")}?lanes=2`, options).sql`select * replace (upper(name) as name) from batch`
    .via(`log:${at("b")}?lanes=2`)
    .to(`duckdb:${at("cut.db")}`, { lineage: true });

async function runAll(whole: Pipeline): Promise<void> {
  for (const stage of await stagesOf(whole, session.engine)) {
    expect(await runIn(session, stage, {})).toMatchObject({ balanced: true });
  }
}

async function query(name: string, sql: string): Promise<EngineRow[]> {
  const sink = await session.sink(`duckdb:${at(name)}`);
  const rows: EngineRow[] = [];
  for await (const piece of sink.query(sql)) rows.push(...piece);
  return rows;
}

const ledgerSql = `select pipeline, sum("read")::integer as "read", sum(loaded)::integer as loaded, sum(filtered)::integer as filtered,
  sum(rejected)::integer as rejected from millrace_ledger group by 1 order by 1`;

describe("a pipeline that is cut into stages", () => {
  it("makes the table that it makes in one piece, to the last digit", async () => {
    await writeFile(at("in.csv"), `${awkward.join("\n")}\n`);
    const whole = flow().sql`select * replace (upper(name) as name) from batch`.to(`duckdb:${at("whole.db")}`);
    await runAll(whole);
    await runAll(cut());
    const texts = "select columns(*)::varchar from (select * exclude (_millrace) from things) order by id";
    const expected = await query("whole.db", texts.replace("exclude (_millrace)", ""));
    expect(expected).toHaveLength(4);
    expect(await query("cut.db", texts)).toEqual(expected);
    const columns = await query("cut.db", "describe things");
    const own = columns.filter(({ column_name: name }) => name !== "_millrace");
    expect(own).toEqual(await query("whole.db", "describe things"));
    expect(await query("cut.db", ledgerSql)).toEqual([
      { pipeline: "things:1", read: 6, loaded: 4, filtered: 1, rejected: 1 },
      { pipeline: "things:2", read: 4, loaded: 4, filtered: 0, rejected: 0 },
      { pipeline: "things:3", read: 4, loaded: 4, filtered: 0, rejected: 0 },
    ]);
  });

  it("traces a row to its file and line, and a line to its row", async () => {
    await writeFile(at("in.csv"), `${awkward.slice(1).join("\n")}\n`);
    await runAll(cut());
    const sink = await session.sink(`duckdb:${at("cut.db")}`);
    await sink.open("read");
    const [trace] = await traceRow(sink, "things", { id: "3" });
    expect(trace).toMatchObject({ source: at("in.csv"), at: { unit: "line", number: 2n, exact: true } });
    expect(trace?.before.map(({ batch }) => batch.pipeline)).toEqual(["things:2", "things:1"]);
    const [fate] = await tracePlace(sink, at("in.csv"), 2n);
    expect(fate).toMatchObject({ table: "things", rows: [{ id: 3 }], rejects: [] });
    expect((await tracePlace(sink, at("in.csv"), 5n))[0]?.rejects).toHaveLength(1);
  });

  it("drops what was sent before, from whatever lane it comes, and counts it as filtered", async () => {
    await writeFile(at("in.csv"), `${awkward.join("\n")}\n`);
    const stages = await stagesOf(cut(), session.engine);
    await runIn(session, stages[0] as Pipeline, {});
    await appendAgain(`log:${at("a")}`);
    await runIn(session, stages[1] as Pipeline, {});
    await appendAgain(`log:${at("a")}`);
    await runIn(session, stages[1] as Pipeline, {});
    await runIn(session, stages[2] as Pipeline, {});
    expect(await query("cut.db", "select id from things order by id")).toEqual([
      { id: 1 },
      { id: 2 },
      { id: 3 },
      { id: 4 },
    ]);
    expect(await query("cut.db", ledgerSql)).toEqual([
      { pipeline: "things:1", read: 6, loaded: 4, filtered: 1, rejected: 1 },
      { pipeline: "things:2", read: 20, loaded: 4, filtered: 16, rejected: 0 },
      { pipeline: "things:3", read: 4, loaded: 4, filtered: 0, rejected: 0 },
    ]);
  });

  it("is checked stage by stage, with the guarantee of each", async () => {
    await writeFile(at("in.csv"), `${awkward.join("\n")}\n`);
    const inspections = await inspectPipeline(session, cut());
    expect(inspections.map(({ name }) => name)).toEqual(["things:1", "things:2", "things:3"]);
    const findings = inspections.flatMap((one) => one.findings);
    expect(findings.filter(({ state }) => state !== "ok")).toEqual([]);
    const guarantees = findings.filter(({ check }) => check === "guarantee").map(({ detail }) => detail.split(":")[0]);
    const onTheWay = "exactly once at the final sink";
    expect(guarantees).toEqual([onTheWay, onTheWay, "exactly once"]);
  });

  it("has its stages chosen by name or number", async () => {
    const stages = await stagesOf(cut(), session.engine);
    expect(chosenStages(stages, "2")).toEqual([stages[1]]);
    expect(chosenStages(stages, "things:3")).toEqual([stages[2]]);
    expect(() => chosenStages(stages, "4")).toThrow(/There is no stage 4/);
  });

  it("refuses what only looks as if it could be sent on", async () => {
    await writeFile(at("in.csv"), `${awkward.join("\n")}\n`);
    const untraced = pipeline("u").from(at("in.csv"), { header: false }).check(things).sql`select id, name from batch`
      .via(`log:${at("u")}`)
      .to(`duckdb:${at("u.db")}`);
    const [first] = await stagesOf(untraced, session.engine);
    await expect(runIn(session, first as Pipeline, {})).rejects.toMatchObject({ code: "STEP_FAILED" });
    const [, skipping] = await stagesOf(cut({ whenGone: "skip" }), session.engine);
    await expect(runIn(session, skipping as Pipeline, {})).rejects.toMatchObject({ code: "PIPELINE_INVALID" });
  });
});

/** Appends all records once more, each under another key, so that they lie in other lanes as well. */
async function appendAgain(url: string): Promise<void> {
  const log = await openLog(url, session.context);
  await log.open();
  const stop = new AbortController();
  const records: KeptRecord[] = [];
  for (const lane of await log.lanes()) {
    if (lane.end === lane.start) continue;
    for await (const piece of log.read(lane, lane.start, stop.signal)) {
      records.push(...piece);
      if ((piece.at(-1)?.offset ?? 0n) + 1n >= lane.end) break;
    }
  }
  const again = [...new Map(records.map((record) => [record.id, record])).values()];
  for (const key of ["one", "two"]) {
    await log.append(again.map(({ id = "", value, timeMs }) => ({ id, value, timeMs, key: Buffer.from(key) })));
  }
  stop.abort();
  await log.close();
}
