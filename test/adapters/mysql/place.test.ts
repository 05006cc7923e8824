import { execFile } from "node:child_process";
import { chmodSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import type { EngineParameter, EngineRow } from "../../../src/ports/engine.ts";
import type { SinkColumn } from "../../../src/ports/rows.ts";
import type { Sink } from "../../../src/ports/sink.ts";
import { startMariadb } from "../../servers/mariadb.ts";
import { describeWith } from "../../servers/not-run.ts";
import type { RestartableServer } from "../../servers/server.ts";
import { failureOf, load, makeTarget, urlWith } from "../postgres/scene.ts";
import { fitCases } from "./fit-cases.ts";
import { fileQuestion, packet, Proxy } from "./proxy.ts";
import { freshDatabase, makeSink, run } from "./scene.ts";

const target = makeTarget();
const one: readonly EngineRow[] = [{ id: 1, name: "a" }];
const naming = (text: string): unknown => expect.stringContaining(text);

async function collect(from: Sink, sql: string, parameters: readonly EngineParameter[] = []): Promise<EngineRow[]> {
  const rows: EngineRow[] = [];
  for await (const piece of from.query(sql, parameters)) rows.push(...piece);
  return rows;
}

it("refuses a URL without a database, unknown options, and numbers that are none", () => {
  expect(() => makeSink("mysql://u:pw@h")).toThrow(/names no database/);
  expect(() => makeSink("mysql://u:pw@h/db?shema=x")).toThrow(/unknown option shema/);
  expect(() => makeSink("mysql://u:pw@h/db?connect_timeout=soon")).toThrow(/connect_timeout is not a number/);
  expect(() => makeSink("mysql://u:pw@h/db?ssl-mode=maybe")).toThrow(/unknown ssl-mode/);
  expect(() => makeSink("mysql://u:s3cret@h/db?ssl-ca=/nowhere/ca.pem")).not.toThrow(/s3cret/);
});

describeWith("mariadb", "MariaDB as a place", () => {
  let server: RestartableServer;
  let sink: Sink;
  const folder = mkdtempSync(join(tmpdir(), "millrace-mysql-"));
  const [cert, key] = [join(folder, "cert.pem"), join(folder, "key.pem")];

  beforeAll(async () => {
    const names = ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"];
    const make = ["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2"];
    await promisify(execFile)("openssl", [...make, ...names, "-keyout", key, "-out", cert]);
    // The server's account has to read them.
    chmodSync(folder, 0o755);
    chmodSync(key, 0o644);
    server = await startMariadb({ settings: { "ssl-cert": cert, "ssl-key": key } });
  });
  afterAll(async () => {
    await server.stop();
    rmSync(folder, { recursive: true });
  });

  beforeEach(async () => {
    await freshDatabase(server.url);
    sink = makeSink(server.url);
    await sink.open();
    return () => sink.close();
  });

  describe("the place", () => {
    it("puts Millrace's tables into the database of the URL or the option, and creates it", async () => {
      await run(server.url, "drop database if exists `St ate`; drop database if exists hr");
      const own = makeSink(`${server.url}?millrace_schema=St%20ate`);
      await own.open();
      await own.prepare(target);
      await load(own, target, one);
      expect(await run(server.url, "select loaded from `St ate`.millrace_ledger")).toEqual([{ loaded: 1 }]);
      expect(await run(server.url, "select name from t")).toEqual([{ name: "a" }]);
      await own.close();
      const option = makeSink(`${server.url}?millrace_schema=millrace`, { stateSchema: "hr" });
      await option.open();
      expect(await option.reserveBatches(2)).toEqual([1n, 2n]);
      await option.close();
    });

    it("is read without the right to create, and nothing is created", async () => {
      await freshDatabase(server.url);
      await run(
        server.url,
        "create or replace user reader identified by 'reader'; grant select on millrace.* to reader",
      );
      const reader = makeSink(urlWith(server.url, { username: "reader", password: "reader" }));
      await reader.open("read");
      expect([await reader.records.ledger({ limit: 1 }), await reader.records.checkpoints("p")]).toEqual([[], []]);
      expect(await run(server.url, "show tables")).toEqual([]);
      const writer = makeSink(server.url);
      await writer.open();
      await writer.prepare(target);
      await load(writer, target, one);
      await writer.close();
      expect(await reader.records.ledger({ limit: 1 })).toHaveLength(1);
      await reader.close();
    });

    it("sets up its sessions, whatever the server's settings are", async () => {
      await run(
        server.url,
        "set global time_zone = '-08:00', sql_mode = 'ANSI,NO_BACKSLASH_ESCAPES', lc_messages = 'de_DE'",
      );
      try {
        const fresh = makeSink(server.url);
        await fresh.open("read");
        const [row] = await collect(
          fresh,
          "select @@time_zone as zone, @@sql_mode as mode, @@lc_messages as words, @@character_set_client as text, @@innodb_lock_wait_timeout as waits",
        );
        await fresh.close();
        expect(row).toEqual({
          zone: "+00:00",
          mode: naming("STRICT_ALL_TABLES"),
          words: "en_US",
          text: "utf8mb4",
          waits: 30n,
        });
      } finally {
        await run(server.url, "set global time_zone = 'SYSTEM', sql_mode = default, lc_messages = default");
      }
    });

    it("is found well by doctor, and what is not is said", async () => {
      const found = (await sink.diagnose?.()) ?? [];
      expect(found.map(({ check, state }) => [check, state])).toEqual(
        ["version", "local_infile", "max_allowed_packet", "writable", "rights"].map((check) => [check, "ok"]),
      );
      expect(found.map(({ detail }) => detail).join()).not.toContain(new URL(server.url).password);
      await run(server.url, "set global local_infile = 0");
      const off = (await sink.diagnose?.()) ?? [];
      await run(server.url, "set global local_infile = 1");
      expect(off.find(({ check }) => check === "local_infile")).toMatchObject({ state: "warn" });
    });

    it("talks TLS where the server does, and checks who it is when it is told to", async () => {
      const cipher = async (options: string, host = "127.0.0.1"): Promise<unknown> => {
        const url = new URL(server.url);
        url.hostname = host;
        const own = makeSink(`${url.href}?${options}`);
        try {
          await own.open("read");
          const [row] = await collect(own, "show session status like 'Ssl_cipher'");
          return row?.["Value"] === "" ? "none" : "some";
        } catch (error) {
          return (own.explain(error) as { code?: string }).code;
        } finally {
          await own.close();
        }
      };
      const ca = `ssl-ca=${encodeURIComponent(cert)}`;
      expect(await cipher("")).toBe("some");
      expect(await cipher("ssl-mode=disabled")).toBe("none");
      expect(await cipher("ssl-mode=REQUIRED")).toBe("some");
      expect(await cipher("ssl-mode=verify_ca")).toBe("SINK_UNREACHABLE");
      expect(await cipher(ca)).toBe("some");
      expect(await cipher(`ssl-mode=verify_identity&${ca}`, "localhost")).toBe("some");
    });
  });

  describe("a server that asks for files of this machine", () => {
    it("in the place of an answer is given none", async () => {
      let given = 0;
      let asking = false;
      await using rogue = await Proxy.before(`${server.url}?ssl-mode=disabled`, {
        fromClient(bytes, link) {
          if (asking) {
            // A packet without content says that there is no file.
            given += bytes.length - 4;
            link.cut();
            return undefined;
          }
          if (!bytes.toString("latin1").includes("set session sql_mode")) return bytes;
          asking = true;
          link.toClient(packet(1, fileQuestion("/etc/passwd")));
          return undefined;
        },
      });
      const robbed = makeSink(rogue.url);
      await failureOf(robbed, robbed.open("read"));
      await robbed.close();
      expect({ asking, given }).toEqual({ asking: true, given: 0 });
    });

    it("other than the rows that it was offered is given none, and it is said", async () => {
      let given = "";
      let asked = false;
      await using rogue = await Proxy.before(`${server.url}?ssl-mode=disabled`, {
        fromServer(bytes) {
          const at = bytes.indexOf("\u00fbmillrace-", 0, "latin1");
          if (at < 0) return bytes;
          asked = true;
          const path = "/etc/".padEnd(bytes.length - at - 1 - "passwd".length, "/") + "passwd";
          return Buffer.concat([bytes.subarray(0, at), fileQuestion(path)]);
        },
        fromClient(bytes) {
          if (asked) given += bytes.toString("latin1");
          return bytes;
        },
      });
      const robbed = makeSink(rogue.url);
      await robbed.open();
      await robbed.prepare(target);
      expect(await failureOf(robbed, load(robbed, target, one))).toMatchObject({
        code: "SINK_DENIED",
        kind: "stop",
        text: naming("of this machine"),
      });
      await robbed.close();
      expect(asked).toBe(true);
      expect(given).not.toContain("root:");
      expect(await run(server.url, "select count(*) as n from t")).toEqual([{ n: 0n }]);
    });
  });

  describe("a table that is there", () => {
    it("fits or does not, by its types", async () => {
      for (const [n, { wanted, type, said }] of fitCases.entries()) {
        await run(server.url, `create table t${n} (c ${type})`);
        const work = sink.prepare(makeTarget({ table: `t${n}`, columns: [wanted] }));
        const outcome = await failureOf(sink, work).catch(() => ({ code: "fits", text: "" }));
        const expected = said === "fits" ? { code: "fits" } : { code: "TABLE_MISMATCH", text: naming('"c"') };
        expect({ type, wanted: wanted.type, ...outcome }).toMatchObject({ type, wanted: wanted.type, ...expected });
      }
    });

    it("without transactions, or that is a view, is refused", async () => {
      await run(
        server.url,
        "create table t (id int, name text) engine=MyISAM; create table b (id int, name text); create view v as select * from b",
      );
      expect(await failureOf(sink, sink.prepare(target))).toMatchObject({
        code: "TABLE_MISMATCH",
        text: naming("MyISAM, has no transactions"),
      });
      const view = makeTarget({ table: "v" });
      expect(await failureOf(sink, sink.prepare(view))).toMatchObject({ text: naming("it is a view") });
    });

    it("takes no merge without a unique index on exactly the key", async () => {
      await run(server.url, "create table t (id int, name varchar(9), unique (id, name), unique (name(3)))");
      for (const key of [["id"], ["name"]]) {
        const merge = makeTarget({ mode: "merge", key });
        expect(await failureOf(sink, sink.prepare(merge))).toMatchObject({
          code: "TABLE_MISMATCH",
          text: naming("no unique index"),
        });
      }
      await run(server.url, "alter table t add unique (id)");
      expect(await sink.prepare(makeTarget({ mode: "merge", key: ["id"] }))).toMatchObject({ created: false });
    });

    it("that is created gives its keys a length, and says when that is not possible", async () => {
      const texts = (count: number, more: Partial<SinkColumn> = {}): SinkColumn[] =>
        Array.from({ length: count }, (_, n) => ({ name: `k${n}`, type: "text", key: true, ...more }));
      const keyed = (columns: readonly SinkColumn[]) =>
        makeTarget({ columns, key: columns.filter((one_) => one_.key).map(({ name }) => name), mode: "merge" });
      const free: SinkColumn[] = Array.from({ length: 200 }, (_, n) => ({
        name: `f${n}`,
        type: "text",
        maxLength: 255,
      }));
      expect(sink.ddl(keyed(texts(1)))).toContain("`k0` varchar(255) not null");
      expect(sink.ddl(keyed(texts(4)))).toContain("`k3` varchar(192) not null");
      for (const columns of [texts(4), texts(1, { maxLength: 768 }), [...texts(1), ...free]]) {
        await freshDatabase(server.url);
        const again = makeSink(server.url);
        await again.open();
        expect(await again.prepare(keyed(columns))).toMatchObject({ created: true });
        await again.close();
      }
      expect(() => sink.ddl(keyed(texts(1, { maxLength: 769 })))).toThrow(/too long for MySQL/);
    });

    it("may have any name that MySQL takes, and so may its columns", async () => {
      const names = [
        'a "quoted" name',
        "it's",
        "select",
        "with space",
        "CamelCase",
        "semi;colon -- c",
        "per%cent $1 ?",
        "naïve_漢字",
        "`ticks`",
        "\\",
      ];
      for (const table of ["weird `table` name; select", "order", "Ünïcödé 漢字", "t".repeat(64)]) {
        const columns: readonly SinkColumn[] = names.map((name) => ({ name, type: "text", nullable: true }));
        const row = Object.fromEntries(names.map((name, n) => [name, n === 0 ? null : name]));
        const own = makeTarget({ table, columns, pipeline: table });
        await sink.prepare(own);
        expect(await load(sink, own, [row], "lane '\"`\\")).toMatchObject({ loaded: 1 });
        expect(await run(server.url, `select * from \`${table.replaceAll("`", "``")}\``)).toEqual([row]);
      }
      for (const table of ["crab 🦀", "t".repeat(65), "trailing "]) {
        expect(await failureOf(sink, sink.prepare(makeTarget({ table })))).toMatchObject({ code: "CONTRACT_INVALID" });
      }
    });
  });

  describe("query", () => {
    it("streams exact values in pieces", async () => {
      const sizes: number[] = [];
      for await (const piece of sink.query("select seq from seq_1_to_2500; ")) sizes.push(piece.length);
      expect(sizes).toEqual([1000, 1000, 500]);
      await run(
        server.url,
        `create table v (big bigint unsigned, n decimal(30,2), at datetime(6), moment timestamp(6), day date, doc json, bytes blob, bits bit(9), flag boolean, small tinyint, kind enum('x'), year year, span time);
        insert into v values (18446744073709551615, 9007199254740993.10, '2021-11-07 02:48:42.123456', '2021-11-07 02:48:42', '2021-11-07', '{"a": [1]}', x'00ff', b'100000001', true, -5, 'x', 2021, '-12:00:01')`,
      );
      expect(
        await collect(sink, 'select v.*, 1 as twin, 2 as twin, null as nothing, \'a\' || "flag" as joined from "v"'),
      ).toEqual([
        {
          big: 18446744073709551615n,
          n: "9007199254740993.10",
          at: "2021-11-07T02:48:42.123456",
          moment: "2021-11-07T02:48:42.000000Z",
          day: "2021-11-07",
          doc: { a: [1] },
          bytes: Buffer.from([0, 255]),
          bits: 257n,
          flag: true,
          small: -5,
          kind: "x",
          year: 2021,
          span: "-12:00:01",
          twin: 1,
          twin_1: 2,
          nothing: null,
          joined: "a1",
        },
      ]);
    });

    it("takes parameters for what they are, and nothing else for one", async () => {
      const hostile = "x'; drop table t; -- \\' \u0000 🦀";
      const sql =
        "select $1 as a, '$1' as b, `$1` as c, $2 as d, $3 as e from (select 1 as `$1`) x -- $1 '\nwhere 1 = $4";
      expect(await collect(sink, sql, [hostile, Buffer.from([0, 39]), 9007199254740993n, 1])).toEqual([
        { a: hostile, b: "$1", c: 1, d: Buffer.from([0, 39]), e: 9007199254740993n },
      ]);
    });

    it("writes nothing, not even behind a semicolon", async () => {
      await run(server.url, "create table precious (id int)");
      for (const sql of [
        "insert into precious values (1)",
        "select 1; drop table precious",
        "with w as (select 1 as one) delete from precious",
        "drop table precious",
        "truncate precious",
      ]) {
        expect(await failureOf(sink, collect(sink, sql))).toMatchObject({ code: "SINK_REFUSED", kind: "stop" });
      }
      expect(await run(server.url, "select count(*) as n from precious")).toEqual([{ n: 0n }]);
    });

    it("gives its session back when it is left half way", async () => {
      for (let n = 0; n < 30; n += 1) {
        for await (const piece of sink.query("select seq from seq_1_to_5000")) {
          expect(piece).toHaveLength(1000);
          break;
        }
      }
      expect(await collect(sink, "select 1 as one")).toEqual([{ one: 1 }]);
    });
  });
});
