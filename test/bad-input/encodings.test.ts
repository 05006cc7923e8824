import { expect, test } from "vitest";
import { expectLoaded, hiredHeader, Scene } from "./attempt.ts";

const name = "Jürgen Ñandú";
const text = `${hiredHeader}1,${name},2021-11-07T02:48:42Z,2\n`;
const wide = "名前 😀";

const utf16 = (value: string, big: boolean): Buffer => {
  const bytes = Buffer.from(value, "utf16le");
  return big ? bytes.swap16() : bytes;
};

test.each([
  { title: "UTF-8 with a byte order mark", content: Buffer.from(`\uFEFF${text}`), source: {} },
  { title: "UTF-16LE with a byte order mark", content: utf16(`\uFEFF${text}`, false), source: {} },
  { title: "UTF-16BE with a byte order mark", content: utf16(`\uFEFF${text}`, true), source: {} },
  { title: "UTF-16LE without", content: utf16(text, false), source: {} },
  { title: "Latin-1, said", content: Buffer.from(text, "latin1"), source: { encoding: "latin1" } as const },
])("$title is read as it is meant", async ({ content, source }) => {
  using scene = new Scene();
  await expectLoaded(scene, await scene.load({ content, source }), { read: 1, rejected: 0 });
  expect(await scene.query("select name from hired")).toEqual([{ name }]);
});

test("Latin-1 that is not said is no text: the record is a reject, not a row of wrong letters", async () => {
  using scene = new Scene();
  const outcome = await scene.load({ content: Buffer.from(text, "latin1") });
  const { rejects } = await expectLoaded(scene, outcome, { read: 1, rejected: 1 });
  expect(rejects[0]?.reasons.map(({ code }) => code)).toEqual(["encoding"]);
});

test("characters of four bytes survive the way through UTF-16", async () => {
  using scene = new Scene();
  await expectLoaded(scene, await scene.load({ content: utf16(`\uFEFF${text.replace(name, wide)}`, false) }), {
    read: 1,
    rejected: 0,
  });
  expect(await scene.query("select name from hired")).toEqual([{ name: wide }]);
});

test("half a character at the end of a UTF-16 file is not passed over in silence", async () => {
  using scene = new Scene();
  const content = utf16(`\uFEFF${text}2,${name},2021-11-07T02:48:42Z,2`, false);
  const { error, summary } = await scene.load({ content: content.subarray(0, content.length - 1) });
  expect(error !== undefined || (summary?.rejected ?? 0) > 0).toBe(true);
  expect(error?.code ?? "none").not.toBe("INTERNAL");
});

test("a file said to be UTF-16 that is not is an error or rejects, never rows", async () => {
  using scene = new Scene();
  const { error, summary } = await scene.load({ content: text, source: { encoding: "utf-16le", header: false } });
  expect(error?.code ?? "none").not.toBe("INTERNAL");
  expect(summary?.loaded ?? 0).toBe(0);
});
