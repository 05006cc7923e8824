import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import type { EngineRow } from "../../../src/ports/engine.ts";
import type { Sink, Target } from "../../../src/ports/sink.ts";
import { startMariadb } from "../../servers/mariadb.ts";
import { describeWith } from "../../servers/not-run.ts";
import type { RestartableServer } from "../../servers/server.ts";
import { csvOf, load, makeTarget } from "../postgres/scene.ts";
import { freshDatabase, makeSink, run } from "./scene.ts";

const rowsTo = (count: number, name: (id: number) => string | null = (id) => `n${id}`): EngineRow[] =>
  Array.from({ length: count }, (_, id) => ({ id, name: name(id) }));

const keyed = { mode: "merge", key: ["id"] } as const;

/** Both ways that rows take to the server, each on one that is lax and one that is strict by itself. */
const ways = [
  ["by LOAD DATA into a server that is lax", "set global sql_mode = '', local_infile = 1"],
  [
    "by INSERT into a server that is strict and takes no files",
    "set global sql_mode = 'TRADITIONAL', local_infile = 0",
  ],
] as const;

describeWith("mariadb", "rows that MariaDB refuses become rejects, and no others", () => {
  let server: RestartableServer;
  let sink: Sink;

  beforeAll(async () => {
    server = await startMariadb();
  });
  afterAll(() => server.stop());

  describe.each(ways)("%s", (_, settings) => {
    beforeEach(async () => {
      await run(server.url, settings);
      await freshDatabase(server.url);
      sink = makeSink(server.url);
      await sink.open();
      return () => sink.close();
    });

    /** Creates the table by hand and prepares the target on it. */
    async function given(ddl: string, more: Partial<Target> = {}): Promise<Target> {
      await run(server.url, ddl);
      const target = makeTarget(more);
      await sink.prepare(target);
      return target;
    }

    const ids = async (table = "t"): Promise<unknown[]> =>
      (await run(server.url, `select id from ${table} order by id`)).map((row) => row["id"]);

    it("for every reason, each in the server's own words", async () => {
      const target = await given(
        `create table jobs (id int primary key); insert into jobs values (1), (2);
        create table t (id smallint, name varchar(5) not null, n int unique, day date, d double, j json, job int references jobs (id),
          check (id <> 3));
        create trigger loud before insert on t for each row begin
          if new.name = 'loud' then signal sqlstate '45000' set message_text = 'not so loud'; end if; end`,
        {
          columns: [
            { name: "id", type: "integer" },
            { name: "name", type: "text", nullable: true },
            { name: "n", type: "integer" },
            { name: "day", type: "date" },
            { name: "d", type: "double" },
            { name: "job", type: "integer" },
          ],
        },
      );
      const good = { id: 1, name: "one", day: "2021-11-07", d: 0.1, job: 1 };
      const rows: EngineRow[] = [
        good,
        { ...good, id: 3 },
        { ...good, name: "too long" },
        { ...good, id: 70_000 },
        { ...good, name: null },
        { ...good, name: "loud" },
        { ...good, n: 0 },
        { ...good, day: "10000-01-01" },
        { ...good, d: "nan" },
        { ...good, job: 9 },
        { ...good, name: "abc   " },
        { ...good, id: 7, name: "漢字🦀" },
      ].map((row, n) => ({ n, ...row }));
      const { kept, ...result } = await load(sink, target, rows);
      expect(result).toMatchObject({ loaded: 2, rejected: 10 });
      expect(kept.map(([row, code, column]) => [row, code, column])).toEqual([
        [1, "refused", undefined],
        [2, "refused", "name"],
        [3, "refused", "id"],
        [4, "refused", "name"],
        [5, "refused", undefined],
        [6, "duplicate", "n"],
        [7, "refused", "day"],
        [8, "refused", "d"],
        [9, "reference", "job"],
        [10, "refused", "name"],
      ]);
      expect(kept.map(([, , , text]) => text)).toEqual([
        expect.stringMatching(/^CONSTRAINT `\w+` failed/),
        "Data too long for column 'name'",
        "Out of range value for column 'id'",
        "Column 'name' cannot be null",
        "not so loud",
        "Duplicate entry '0' for key 'n'",
        expect.stringMatching(/^Incorrect date value: '10000-01-01' for column `day`/),
        expect.stringMatching(/^Incorrect double value: 'nan' for column `d`/),
        expect.stringContaining("FOREIGN KEY (`job`) REFERENCES `jobs`"),
        // More spaces than there is room for are cut with a note alone, in every mode.
        "Data truncated for column 'name'",
      ]);
      expect(await ids()).toEqual([1, 7]);
    });

    it("by a unique index that is not the key, in a merge, which changes no other row", async () => {
      const target = await given("create table t (id int not null unique, name varchar(20) primary key)", keyed);
      await load(sink, target, rowsTo(5));
      const rows = [
        ...rowsTo(4, (id) => `m${id}`),
        { id: 9, name: "n4" },
        { id: 4, name: "m0" },
        { id: 10, name: "new" },
      ];
      const { kept, ...result } = await load(sink, target, rows, "second");
      expect(result).toMatchObject({ loaded: 1, merged: 4, rejected: 2 });
      expect(kept.map(([row, code, column]) => [row, code, column])).toEqual([
        [4, "duplicate", "name"],
        [5, "duplicate", "name"],
      ]);
      expect(await run(server.url, "select group_concat(id, name order by id) as all_of_it from t")).toEqual([
        { all_of_it: "0m0,1m1,2m2,3m3,4n4,10new" },
      ]);
    });

    it("among thousands that are merged", async () => {
      const target = await given(
        "create table t (id int primary key, name varchar(6)); insert into t select seq, 'old' from seq_0_to_99",
        keyed,
      );
      const rows = rowsTo(5000, (id) => (id % 1000 === 50 ? "far too long" : `n${id}`));
      const result = await load(sink, target, rows);
      expect(result).toMatchObject({ loaded: 4896, merged: 99, rejected: 5 });
      expect(result.kept.map(([row]) => row)).toEqual([50, 1050, 2050, 3050, 4050]);
      expect(await run(server.url, "select name from t where id = 50")).toEqual([{ name: "old" }]);
      const again = await load(
        sink,
        target,
        [...rowsTo(3), ...rowsTo(3, (id) => `m${id}`), { id: -1, name: "new" }],
        "b",
      );
      expect(again).toMatchObject({ loaded: 1, merged: 6, rejected: 0 });
      expect(await run(server.url, "select name from t where id < 3 order by id")).toEqual(
        ["new", "m0", "m1", "m2"].map((name) => ({ name })),
      );
    });

    it("when all of them repeat keys, in reasonable time", async () => {
      const target = await given(
        "create table t (id int primary key, name varchar(3), unique (name, id)); insert into t select seq, 'x' from seq_0_to_999",
      );
      const rows = [...rowsTo(3000, () => "abc"), ...rowsTo(3000, () => "abc")];
      const result = await load(sink, target, rows);
      expect(result).toMatchObject({ loaded: 2000, rejected: 4000 });
      expect(result.kept.every(([, code]) => code === "duplicate")).toBe(true);
      expect(new Set(result.kept.map(([row]) => row)).size).toBe(4000);
      expect(result.kept.find(([row]) => row === 7)?.[3]).toBe("Duplicate entry '7' for key 'PRIMARY'");
    }, 30_000);

    it("and of equal keys the first whose row is taken is loaded", async () => {
      const target = await given("create table t (id int primary key, name varchar(20) check (name <> 'bad'))");
      const rows = ["bad", "good", "late"].map((name) => ({ id: 1, name }));
      const result = await load(sink, target, rows);
      expect(result).toMatchObject({ loaded: 1, rejected: 2 });
      expect(result.kept.map(([row, code]) => [row, code])).toEqual([
        [0, "refused"],
        [2, "duplicate"],
      ]);
      expect(await run(server.url, "select name from t")).toEqual([{ name: "good" }]);
    });

    it("by a reference to a row that is not there, and not to one that comes later in the batch", async () => {
      const target = await given(
        "create table t (id int primary key, name int, foreign key (name) references t (id))",
        {
          columns: [
            { name: "id", type: "integer" },
            { name: "name", type: "integer", nullable: true },
          ],
        },
      );
      const rows = [
        { id: 1, name: 2 },
        { id: 2, name: 3 },
        { id: 3, name: null },
        { id: 4, name: 99 },
        { id: 5, name: 4 },
        { id: 3, name: null },
      ];
      const result = await load(sink, target, rows);
      expect(result).toMatchObject({ loaded: 3, rejected: 3 });
      expect(result.kept.map(([row, code]) => [row, code])).toEqual([
        [3, "reference"],
        [4, "reference"],
        [5, "duplicate"],
      ]);
      expect(await ids()).toEqual([1, 2, 3]);
    });

    it("whatever their texts and line ends are", async () => {
      const target = await given("create table t (id int primary key, name text character set latin1)");
      const names = ['"NULL"', "NULL", '""', "", '"a,b"', '"a\n""b"""', "\\N", "ñ", "漢", '"\\"', '"x\r\n"'];
      const records = names.map((name, id) => `${id},${name}${id % 2 === 0 ? "\n" : "\r\n"}`);
      const result = await load(sink, target, rowsTo(names.length), "lane", csvOf(records));
      expect(result.kept.map(([row, code, column]) => [row, code, column])).toEqual([[8, "refused", "name"]]);
      const found = (await run(server.url, "select name from t order by id")).map((row) => row["name"]);
      expect(found).toEqual(["NULL", "NULL", "", null, "a,b", 'a\n"b"', "\\N", "ñ", "\\", "x\r\n"]);
    });

    it("in batch after batch, and rows that are merged only now and then", async () => {
      const target = await given("create table t (id int primary key, name varchar(9))", keyed);
      for (const [n, lane] of ["a", "b", "c"].entries()) {
        const rows = rowsTo(3000).map((_, at) => {
          if (at === 2001) return { id: 1, name: lane };
          return { id: n * 10_000 + at, name: at === 2500 ? "much too long" : lane };
        });
        const result = await load(sink, target, rows, lane);
        expect(result).toMatchObject({ loaded: 2998, merged: 1, rejected: 1 });
        expect(result.kept.map(([row]) => row)).toEqual([2500]);
      }
      expect(await run(server.url, "select name from t where id = 1")).toEqual([{ name: "c" }]);
    });

    it("keys that only the table holds for equal are merged, as the table holds them", async () => {
      const columns = [
        { name: "id", type: "text" },
        { name: "name", type: "text" },
      ] as const;
      const target = await given(
        "create table t (id varchar(20) character set utf8mb4 collate utf8mb4_general_ci primary key, name text)",
        { ...keyed, columns },
      );
      const rows = ["a", "A", "b", "é", "e "].map((id, n) => ({ id, name: String(n) }));
      expect(await load(sink, target, rows)).toMatchObject({ loaded: 3, merged: 2, rejected: 0 });
      expect(await run(server.url, "select name from t order by name")).toEqual(
        ["1", "2", "4"].map((name) => ({ name })),
      );
    });

    it("keys of a table of Millrace's own differ in case, accent and spaces", async () => {
      const columns = [
        { name: "id", type: "text", key: true },
        { name: "name", type: "text", nullable: true },
      ] as const;
      const target = makeTarget({ ...keyed, columns });
      await sink.prepare(target);
      const texts = ["a", "A", "é", "e", "e\u0301", "a ", "", " ", "🦀", "🐙", "ß", "ss"];
      const rows = texts.map((id) => ({ id, name: id }));
      expect(await load(sink, target, [...rows, { id: "x".repeat(256), name: "long" }])).toMatchObject({
        loaded: texts.length,
        merged: 0,
        rejected: 1,
      });
      expect(await load(sink, target, rows, "again")).toMatchObject({ loaded: 0, merged: texts.length });
    });

    it("a table of keys only, serial numbers and partitions", async () => {
      const only = await given("create table t (id int primary key)", {
        ...keyed,
        columns: [{ name: "id", type: "integer" }],
      });
      expect(await load(sink, only, [{ id: 1 }, { id: 1 }])).toMatchObject({ loaded: 1, merged: 1 });
      await run(
        server.url,
        `create table i (id int not null unique, name text, n bigint auto_increment primary key);
        create table p (id int primary key, name text) partition by range (id) (partition p1 values less than (10), partition p2 values less than (20))`,
      );
      for (const table of ["i", "p"]) {
        const target = makeTarget({ ...keyed, table, pipeline: table });
        await sink.prepare(target);
        const named = (rows: readonly (readonly [number, string])[]) => rows.map(([id, name]) => ({ id, name }));
        expect(
          await load(
            sink,
            target,
            named([
              [5, "a"],
              [15, "b"],
            ]),
          ),
        ).toMatchObject({ loaded: 2, merged: 0 });
        const result = await load(
          sink,
          target,
          named([
            [5, "c"],
            [6, "d"],
            [77, "e"],
          ]),
          "x",
        );
        expect(result).toMatchObject(table === "p" ? { loaded: 1, merged: 1, rejected: 1 } : { loaded: 2, merged: 1 });
        const names = await run(server.url, `select name from ${table} where id < 77 order by id`);
        expect(names).toEqual([{ name: "c" }, { name: "d" }, { name: "b" }]);
      }
    });

    it("texts as sources write them, which the contract takes, mean the same", async () => {
      const columns = [
        { name: "id", type: "integer", key: true },
        { name: "d", type: "double" },
        { name: "n", type: "decimal", precision: 10, scale: 2 },
        { name: "b", type: "boolean" },
        { name: "at", type: "timestamp", format: "%Y-%m-%dT%H:%M:%SZ" },
        { name: "u", type: "uuid" },
      ] as const;
      const target = makeTarget({ ...keyed, columns });
      await sink.prepare(target);
      const uuid = "123E4567-E89B-12D3-A456-426614174000";
      const records = [
        `007,5.,1.5000,yes,2021-11-07T02:48:42Z,${uuid}\n`,
        `-0,+.5e1,+1.50,F,1000-01-01T00:00:00Z,${uuid.toLowerCase()}\n`,
        `7,1,1,1,0999-12-31T23:59:59Z,${uuid}\r\n`,
      ];
      const objects = records.map((_, id) => ({ id }));
      expect(await load(sink, target, objects, "lane", csvOf(records))).toMatchObject({ loaded: 2, merged: 1 });
      const same = { u: uuid.toLowerCase() };
      expect(await run(server.url, "select * from t order by id")).toEqual([
        { id: 0, d: 5, n: "1.50", b: false, at: "1000-01-01T00:00:00.000000", ...same },
        { id: 7, d: 1, n: "1.00", b: true, at: "0999-12-31T23:59:59.000000", ...same },
      ]);
    });
  });
});
