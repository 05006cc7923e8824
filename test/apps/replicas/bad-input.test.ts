import { execFileSync } from "node:child_process";
import { symlink } from "node:fs/promises";
import { expect, it } from "vitest";
import { requireExpected } from "../../../apps/replicas/expected.ts";
import { fileStore, localDrop } from "../../../src/adapters/file/index.ts";
import type { MillraceError } from "../../../src/core/error.ts";
import { parsePlace } from "../../../src/core/place.ts";
import { adapterContext } from "../../../src/runtime/context.ts";
import { ReplicasScene, usersCsv } from "./scene.ts";

interface Listed {
  readonly ticket: string;
  readonly status?: string;
  readonly code?: string;
  readonly error?: string;
}

const noEngine = { connect: () => Promise.reject(new Error("no engine here")), uniqueName: (name: string) => name };

const listed = async (scene: ReplicasScene): Promise<Listed[]> => JSON.parse(await scene.text("/tickets")) as Listed[];

it("tickets that are broken, endless or lead elsewhere are told, and stop nothing else", async () => {
  await using scene = await ReplicasScene.open();
  await scene.write("good.csv", usersCsv(3));
  await scene.announce("good.csv", { prim_index: "id" });
  await scene.write("secret.txt", "theirs");
  const texts: Readonly<Record<string, string | Uint8Array>> = {
    empty: "",
    broken: '{"file_name": "good.csv", ',
    list: "[1]",
    foreign: '{"ticket": 7}',
    state: '{"file_name": "good.csv", "status": "DONE"}',
    latin: Buffer.from([0x7b, 0xff, 0x7d]),
    endless: `{"file_name": "good.csv", "status": "READY", "more": "${"x".repeat(70_000)}"}`,
    deep: `${'{"a":'.repeat(10_000)}1${"}".repeat(10_000)}`,
    up: '{"file_name": "../users.db", "status": "READY"}',
    absolute: '{"file_name": "/etc/hosts", "status": "READY"}',
    windows: '{"file_name": "C:\\\\boot.csv", "status": "READY"}',
    link: '{"file_name": "link.csv", "status": "READY"}',
    kind: '{"file_name": "secret.txt", "status": "READY"}',
    name: '{"file_name": "a,b.csv", "status": "READY"}',
    missing: '{"file_name": "nowhere.csv", "status": "READY"}',
    twin: '{"file_name": "good.csv", "status": "READY"}',
  };
  for (const [name, text] of Object.entries(texts)) await scene.write(`${name}.ticket`, text);
  await symlink("/etc/hosts", scene.path("link.csv"));
  await symlink("/dev/zero", scene.path("zero.ticket"));
  execFileSync("mkfifo", [scene.path("pipe.ticket")]);

  expect(await scene.load()).toMatch(/^\{"file_name":"good.csv","status":"PROCESSED"/);
  const found = new Map((await listed(scene)).map((one) => [one.ticket, one]));
  const codes = Object.keys(texts).map((name) => [name, found.get(name)?.code]);
  const expected: Readonly<Record<string, string>> = { link: "FILE_NOT_A_FILE", missing: "FILE_MISSING" };
  expect(codes).toEqual(Object.keys(texts).map((name) => [name, expected[name] ?? "FILE_FORMAT"]));
  expect(found.get("good")).toMatchObject({ status: "PROCESSED" });
  expect(found.get("good")?.code).toBe(undefined);
  expect([found.has("pipe"), found.has("zero")]).toEqual([false, false]);
  expect(await scene.ticket("missing")).toEqual({ file_name: "nowhere.csv", status: "READY" });
  expect(await scene.text("/getRegisteredReplics")).toBe('{"LIST_OF_REGISTERED_REPLICS":"good"}');
}, 60_000);

it("values that a spreadsheet would run, deep JSON and keys that come twice or not at all are kept as they are said", async () => {
  await using scene = await ReplicasScene.open();
  const deep = `${"[".repeat(10_000)}${"]".repeat(10_000)}`;
  await scene.write("odd.csv", `id,v\nb,first\na,"=cmd|' /C calc'!A0"\n,nobody\nb,last\n__proto__,${deep}\n`);
  await scene.announce("odd.csv", { prim_index: "id" });
  await scene.load();
  expect(await scene.text("/getTopNFromReplica", "replica=odd&topn=-1")).toBe(
    `{"b":["last"],"a":["=cmd|' /C calc'!A0"],"__proto__":[${JSON.stringify(deep)}]}`,
  );
  expect(await scene.text("/getTopNFromReplica", '{"replica":"odd","topn":1}')).toBe('{"b":["last"]}');
}, 60_000);

it("a reload takes the rows away that left the file, and a file that cannot be read leaves what was there", async () => {
  await using scene = await ReplicasScene.open();
  await scene.write("t.csv", usersCsv(30));
  await scene.announce("t.csv", { prim_index: "id" });
  await scene.load();
  await scene.write("t.csv", usersCsv(10, 25));
  expect(await scene.text("/loadDf2redis", "?force_reload=1")).toContain('"PROCESSED"');
  expect(Object.keys((await scene.rows("t")) as object)).toEqual(
    Array.from({ length: 10 }, (_, row) => String(25 + row)),
  );
  await scene.write("t.csv", "");
  expect(JSON.parse(await scene.text("/loadDf2redis", "?force_reload=1"))).toMatchObject({
    code: expect.stringMatching(/^FILE_/),
  });
  expect(Object.keys((await scene.rows("t")) as object)).toHaveLength(10);
  expect((await scene.ticket("t"))["status"]).toBe("PROCESSED");
}, 60_000);

it("an approval holds for whom it was given to, from where it was given, for as long as the key is registered", async () => {
  await using scene = await ReplicasScene.open("http.trustProxy=true");
  const from = (address: string, more: Readonly<Record<string, string>> = {}) => ({
    "x-forwarded-for": address,
    ...more,
  });
  const registry = async (headers: Readonly<Record<string, string>>): Promise<string> =>
    scene.text("/register_replicas", undefined, headers);
  const given = await scene.approve(from("10.0.0.1"));
  const bearer = given.headers.get("authorization") ?? "";
  const cookie = (given.headers.get("set-cookie") ?? "").split(";")[0] ?? "";
  expect(bearer).toMatch(/^Bearer [\w-]{43}$/);
  const [approved, blocked] = ['{"registry":"success"}', '{"registry":"blocked"}'];
  expect(await registry(from("10.0.0.1"))).toBe(approved);
  expect(await registry(from("10.0.0.1", { authorization: bearer }))).toBe(approved);
  expect(await registry(from("10.0.0.1", { cookie: `a=b; ${cookie}` }))).toBe(approved);
  expect(await registry(from("10.0.0.2"))).toBe(blocked);
  expect(await registry(from("10.0.0.2", { authorization: bearer }))).toBe(blocked);
  expect(await registry(from("10.0.0.2", { cookie }))).toBe(blocked);
  expect(await registry(from("10.0.0.1", { authorization: `${bearer}x` }))).toBe(blocked);
  expect(await registry(from("10.0.0.1", { "sec-fetch-site": "cross-site" }))).toBe(blocked);
  for (const [path, body] of [
    ["/loadDf2redis", ""],
    ["/clearRedisCache", "?replica=a&remove=1"],
    ["/unregister_replicas"],
    ["/stop_calling_registry"],
  ]) {
    expect(JSON.parse(await scene.text(path ?? "", body, from("10.0.0.2")))).toMatchObject({ code: "FORBIDDEN" });
  }
  for (const wrong of [
    "",
    "{}",
    '{"md5_key":""}',
    '{"md5_key":"short"}',
    `{"md5_key":"${"A".repeat(44)}"}`,
    '{"md5_key":["a"]}',
  ]) {
    const answer = await fetch(`${scene.served.server.url}/check_fingerprint`, { method: "POST", body: wrong });
    expect([wrong, answer.status]).toEqual([wrong, 422]);
  }
  await scene.write("../replicas.keys", "");
  expect(await registry(from("10.0.0.1", { authorization: bearer }))).toBe(blocked);
}, 60_000);

it("a file that is expected and has not come, or not anew, is missed and told", async () => {
  const told: string[] = [];
  const alert = async (error: MillraceError): Promise<void> => void told.push(error.message);
  await using scene = await ReplicasScene.open();
  const drop = localDrop(parsePlace(`file:${scene.path("")}`), { ...adapterContext(noEngine, () => undefined) });
  const store = fileStore(
    parsePlace(`file:${scene.path("../other.db")}`),
    adapterContext(noEngine, () => undefined),
  );
  await store.open();
  const look = (): Promise<void> => requireExpected({ drop, store, names: "a.csv, b.csv", alert });
  await scene.write("a.csv", "n\n1\n");
  await expect(look()).rejects.toMatchObject({ code: "FILE_MISSING", message: expect.stringMatching(/: b\.csv$/) });
  await scene.write("b.csv", "n\n1\n");
  await expect(look()).rejects.toMatchObject({ message: expect.stringMatching(/: a\.csv$/) });
  await scene.write("a.csv", "n\n1\n2\n");
  await scene.write("b.csv", "n\n1\n2\n");
  await look();
  expect(told).toHaveLength(2);
  await store.close();
});
