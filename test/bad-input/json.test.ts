import { expect, test } from "vitest";
import { expectLoaded, Scene, shown } from "./attempt.ts";

const good = (id: number): string =>
  `{"id":${id},"name":"Harold Vogt","datetime":"2021-11-07T02:48:42Z","department_id":2}`;

const broken: readonly { readonly title: string; readonly record: string; readonly codes: RegExp }[] = [
  { title: "cut off", record: '{"id":2,"name":"Ha', codes: /malformed/ },
  { title: "not JSON", record: "id=2", codes: /malformed/ },
  { title: "an array", record: "[1,2]", codes: /malformed/ },
  { title: "a number", record: "42", codes: /malformed/ },
  { title: "of an unknown field", record: good(2).replace('"name"', '"nom"'), codes: /malformed|columns|missing/ },
  { title: "of a wrong type", record: good(2).replace('"id":2', '"id":"two"'), codes: /type/ },
  { title: "of a number too large", record: good(2).replace('"id":2', '"id":2e400'), codes: /type|malformed/ },
  { title: "without a field", record: '{"id":2}', codes: /missing/ },
  { title: "of a nested value", record: good(2).replace('"Harold Vogt"', '{"first":"Harold"}'), codes: /type/ },
  { title: "with a key twice", record: good(2).replace("}", ',"id":3}'), codes: /malformed/ },
];

test.each(broken.filter(({ title }) => !/nested|twice/.test(title)))(
  "NDJSON: a record that is $title is a reject, and reading goes on",
  async ({ record, codes }) => {
    using scene = new Scene();
    const content = `${good(1)}\n${record}\n${good(3)}\n`;
    const { rejects } = await expectLoaded(scene, await scene.load({ content, name: "hired.ndjson" }), {
      read: 3,
      rejected: 1,
    });
    expect(rejects.map(({ line, bytes }) => [line, Buffer.from(bytes).toString()])).toEqual([[2, record]]);
    expect(rejects.flatMap((reject) => shown(reject)[1]).join()).toMatch(codes);
  },
);

test.each([
  { title: "a nested value in a text column", record: broken.at(-2)?.record ?? "" },
  { title: "a key that is there twice", record: broken.at(-1)?.record ?? "" },
])("NDJSON: $title is loaded or refused, and counted either way", async ({ record }) => {
  using scene = new Scene();
  const outcome = await scene.load({ content: `${good(1)}\n${record}\n`, name: "hired.ndjson" });
  await expectLoaded(scene, outcome, { read: 2, rejected: outcome.summary?.rejected ?? -1 });
});

test("NDJSON: mixed line ends, blank lines and a byte order mark change nothing", async () => {
  using scene = new Scene();
  const content = `\uFEFF${good(1)}\r\n\n${good(2)}\n${good(3)}\r\n${good(4)}`;
  await expectLoaded(scene, await scene.load({ content, name: "hired.ndjson" }), { read: 4, rejected: 0 });
});

test("NDJSON: a value nested ten thousand deep is a reject", async () => {
  using scene = new Scene();
  const deep = `${"[".repeat(10_000)}${"]".repeat(10_000)}`;
  const content = `${good(1)}\n${good(2).replace('"Harold Vogt"', deep)}\n${good(3)}\n`;
  const outcome = await scene.load({ content, name: "hired.ndjson" });
  await expectLoaded(scene, outcome, { read: 3, rejected: outcome.summary?.rejected ?? -1 });
});

test("JSON: an array of records, some of them broken by type, is loaded with its rejects", async () => {
  using scene = new Scene();
  const content = `[\n ${good(1)},\n ${good(2).replace('"id":2', '"id":null')},\n ${good(3)}\n]\n`;
  const { rejects } = await expectLoaded(scene, await scene.load({ content, name: "hired.json" }), {
    read: 3,
    rejected: 1,
  });
  expect(rejects.map((reject) => shown(reject)[1])).toEqual([["id missing"]]);
});

test.each([
  { title: "cut off in a record", content: `[${good(1)},{"id":2,"na` },
  { title: "cut off behind a record", content: `[${good(1)},` },
  { title: "with something that is not JSON between", content: `[${good(1)}, oops, ${good(3)}]` },
])("JSON: an array $title loses no record that is whole", async ({ content }) => {
  using scene = new Scene();
  const outcome = await scene.load({ content, name: "hired.json" });
  expect(outcome.error?.code ?? "none").toMatch(/FILE_TRUNCATED|FILE_FORMAT|none/);
  const { ledger } = await scene.kept();
  const rows = await scene.query("select id from hired order by id");
  expect(rows.length).toBe(ledger.reduce((sum, { loaded }) => sum + loaded, 0));
  expect(rows[0]?.["id"]).toBe(1);
});
