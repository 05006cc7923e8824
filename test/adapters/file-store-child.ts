// Counts up in a store for ever, and writes a dot for each step that is durable.
import { writeSync } from "node:fs";
import { fileStore } from "../../src/adapters/file/store.ts";
import { parsePlace } from "../../src/core/place.ts";

export type StepMark = ".";
const step: StepMark = ".";

const store = fileStore(parsePlace(`file:${process.argv[2] ?? ""}`), {
  engine: { connect: () => Promise.reject(new Error("a store needs no engine")), uniqueName: (prefix) => prefix },
  now: () => Date.now(),
  pause: (ms) => new Promise((resolve) => setTimeout(resolve, ms)),
  notice: () => undefined,
});
await store.open();
for (;;) {
  const entry = await store.get("count");
  const next = Number(entry?.value ?? 0) + 1;
  if (await store.put("count", next, { expected: entry?.version ?? 0 })) writeSync(1, step);
}
