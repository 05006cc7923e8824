// Figures in the pages are those of core/limit.ts: who changes one finds the sentence here.
import { describe, expect, it } from "vitest";
import { limit } from "../../src/core/limit.ts";
import { readPage } from "./markdown.ts";

const MiB = 2 ** 20;
const KiB = 2 ** 10;
const seconds = (ms: number): string => String(ms / 1000);

const said: readonly (readonly [string, string])[] = [
  ["README.md", `batches of up to ${limit.batchBytes / MiB} MiB`],
  ["README.md", `\`--memory\`, ${limit.memoryBytes / MiB} MB`],
  ["docs/cli.md", `${limit.memoryBytes / MiB} MB unless said, at least ${limit.memoryBytesMin / MiB} MB`],
  ["docs/operations.md", `${limit.memoryBytes / MiB} MB unless said, at least ${limit.memoryBytesMin / MiB} MB`],
  ["docs/operations.md", `a record (${limit.recordBytes / MiB} MiB)`],
  [
    "docs/operations.md",
    `at first after ${seconds(limit.retryFirstMs)} and then at most every ${seconds(limit.retryMaxMs)} seconds`,
  ],
  ["docs/operations.md", `not reached it once after ${seconds(limit.firstConnectionMs)} seconds`],
  ["docs/operations.md", `has not moved for ${seconds(limit.takeoverMs)} seconds`],
  [
    "docs/operations.md",
    `to ${seconds(limit.idleInTransactionMs)} seconds and \`lock_timeout\` to ${seconds(limit.lockMs)}`,
  ],
  ["docs/errors.md", `a \`--memory\` below ${limit.memoryBytesMin / MiB} MB`],
  ["docs/errors.md", `of the configuration is below ${limit.memoryBytesMin / MiB} MB`],
  ["docs/errors.md", `longer than ${limit.recordBytes / MiB} MiB. The first ${limit.rejectBytes / KiB} KiB are kept`],
  ["docs/guarantees.md", `has not moved for ${seconds(limit.takeoverMs)} seconds`],
  ["docs/guarantees.md", `grow from ${seconds(limit.retryFirstMs)} to ${seconds(limit.retryMaxMs)} seconds`],
  ["docs/guarantees.md", `gives up after ${seconds(limit.firstConnectionMs)} seconds`],
  ["docs/formats.md", `from the first ${limit.sniffBytes / KiB} KiB`],
  ["docs/formats.md", `longer than ${limit.recordBytes / MiB} MiB`],
  ["docs/formats.md", `more than ${limit.columns} columns`],
  ["docs/formats.md", `beyond ${limit.zipExpandRatio} times`],
  ["docs/formats.md", `held up to ${limit.sharedTextMemoryBytes / MiB} MiB`],
  ["docs/errors.md", `to more than ${limit.zipExpandRatio} times`],
  ["docs/errors.md", `more than ${limit.columns} columns`],
  ["docs/formats.md", `A schema has up to ${limit.schemaChars.toLocaleString("en").replaceAll(",", " ")} characters`],
  ["docs/formats.md", `names up to ${limit.schemaReferences} others, and nests types ${limit.avroDepth} deep`],
  ["docs/formats.md", `A decimal has up to ${limit.avroDecimalBytes} bytes`],
  ["docs/formats.md", `more than ${limit.schemasAtOnce} schemas are new`],
  ["docs/contracts.md", `1 to ${limit.identifierChars} characters`],
  ["docs/contracts.md", `At most ${limit.columns} columns`],
  ["docs/contracts.md", `its first ${limit.inferBytes / MiB} MiB`],
  ["docs/pipelines.md", `(1 to ${limit.parallel})`],
  ["docs/pipelines.md", `up to ${limit.batchBytes / MiB} MiB of the source`],
  ["docs/tables.md", `at most ${limit.rejectBytes / KiB} KiB`],
];

describe("figures", () => {
  it.each(said)("%s says: %s", (path, sentence) => {
    // Not toContain: it would print the page.
    expect(readPage(path).text.replaceAll(/\s+/g, " ").includes(sentence)).toBe(true);
  });

  it("two minutes is how long a one-off command waits", () => {
    expect(limit.retryTotalMs).toBe(120_000);
    for (const path of ["docs/operations.md", "docs/guarantees.md", "docs/errors.md"]) {
      expect(readPage(path).text.includes("two minutes")).toBe(true);
    }
  });

  it("a second is how often a folder is looked at", () => {
    expect(limit.pollMs).toBe(1_000);
    expect(readPage("docs/pipelines.md").text.includes("looks at the folder every second")).toBe(true);
  });
});
