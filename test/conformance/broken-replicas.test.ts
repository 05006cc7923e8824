// The suite for replicas must fail on broken ones: each fault here is noticed by the behaviour named.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { fileReplicas } from "../../src/adapters/file/index.ts";
import { replicasBehaviourNames, replicasConformance, type ReplicasPlace } from "../../src/conformance/index.ts";
import { parsePlace } from "../../src/core/place.ts";
import type { AdapterContext } from "../../src/ports/adapter.ts";
import type { ReplicaEntry, Replicas } from "../../src/ports/replicas.ts";
import { withChanges } from "./broken.ts";

const context: AdapterContext = {
  engine: { connect: () => Promise.reject(new Error("replicas need no engine")), uniqueName: (prefix) => prefix },
  now: () => Date.now(),
  pause: (ms) => new Promise((resolve) => setTimeout(resolve, ms)),
  notice: () => undefined,
};

type Break = (replicas: Replicas) => Partial<Replicas>;

async function brokenPlace(breakIt: Break): Promise<ReplicasPlace> {
  const folder = mkdtempSync(join(tmpdir(), "millrace-broken-"));
  const make = (): Replicas => {
    const sound = fileReplicas(parsePlace(`file:${join(folder, "replicas.db")}`), context);
    return withChanges(sound, breakIt(sound));
  };
  return { replicas: make(), other: async () => make(), dispose: async () => rmSync(folder, { recursive: true }) };
}

/** The suite as a table of behaviours instead of tests, so that their failing can be the expected outcome. */
function behavioursOf(breakIt: Break): Map<string, () => Promise<void>> {
  const found = new Map<string, () => Promise<void>>();
  const register = (name: string, body: () => Promise<void>): unknown => found.set(name, body);
  const api = {
    describe: (_: string, body: () => void): unknown => body(),
    it: Object.assign(register, { skip: register }),
    expect,
  };
  replicasConformance({ name: "broken", api, create: () => brokenPlace(breakIt), skips: {} });
  return found;
}

async function* one(entries: readonly ReplicaEntry[]): AsyncGenerator<readonly ReplicaEntry[]> {
  yield entries;
}

async function all(entries: AsyncIterable<readonly ReplicaEntry[]>): Promise<ReplicaEntry[]> {
  const found: ReplicaEntry[] = [];
  for await (const piece of entries) found.push(...piece);
  return found;
}

const faults: readonly { readonly what: string; readonly noticedBy: string; readonly breakIt: Break }[] = [
  {
    what: "rows come in the order of their keys",
    noticedBy: "gives rows back as they were, in the order in which they came",
    breakIt: (sound) => ({
      write: async (name, content) => {
        const sorted = (await all(content.entries)).toSorted((a, b) => (a.key < b.key ? -1 : 1));
        return sound.write(name, { ...content, entries: one(sorted) });
      },
    }),
  },
  {
    what: "rows of the content before stay",
    noticedBy: "replaces rows and description as a whole",
    breakIt: (sound) => ({
      write: async (name, content) => {
        const before = await all(sound.entries(name));
        const now = await all(content.entries);
        const left = before.filter(({ key }) => now.every((entry) => entry.key !== key));
        return sound.write(name, { ...content, entries: one([...now, ...left]) });
      },
    }),
  },
  {
    what: "content is shown while it is written",
    noticedBy: "shows all of one content or all of another, never a part",
    breakIt: (sound) => ({
      write: async (name, content) => {
        const rows = await all(content.entries);
        const half = { ...content, entries: one(rows.slice(0, rows.length / 2)) };
        await sound.write(name, half);
        await new Promise((resolve) => setTimeout(resolve, 20));
        return sound.write(name, { ...content, entries: one(rows) });
      },
    }),
  },
  {
    what: "a reading goes over to other content",
    noticedBy: "reads one content to its end although it is replaced meanwhile",
    breakIt: (sound) => ({
      entries: async function* (name, count = Number.POSITIVE_INFINITY) {
        for (let at = 0; at < count; at += 500) {
          const rows = (await all(sound.entries(name))).slice(at, Math.min(at + 500, count));
          if (rows.length === 0) return;
          yield rows;
        }
      },
    }),
  },
  {
    what: "clearing forgets the name",
    noticedBy: "clears the rows and keeps the name",
    breakIt: (sound) => ({ clear: (name) => sound.remove(name) }),
  },
  {
    what: "rows are cleared by their keys alone",
    noticedBy: "leaves rows that are not as they are given, and others",
    breakIt: (sound) => ({
      clearEntries: async (name, entries) => {
        const keys = new Set((await all(entries)).map(({ key }) => key));
        return sound.clearEntries(name, one((await all(sound.entries(name))).filter(({ key }) => keys.has(key))));
      },
    }),
  },
  {
    what: "all rows are cleared when some should be",
    noticedBy: "clears the very rows that it is given, and counts them",
    breakIt: (sound) => ({
      clearEntries: async (name, entries) => {
        const given = await all(entries);
        await sound.clear(name);
        return given.length;
      },
    }),
  },
  {
    what: "the last piece alone is cleared",
    noticedBy: "clears many rows, in any order, and is written again",
    breakIt: (sound) => ({
      clearEntries: async (name, entries) => sound.clearEntries(name, one((await all(entries)).slice(-100))),
    }),
  },
  {
    what: "what fails half-way leaves nothing of what was there",
    noticedBy: "keeps what was there when new content fails half-way",
    breakIt: (sound) => ({
      write: async (name, content) => {
        await sound.remove(name);
        return sound.write(name, content);
      },
    }),
  },
];

describe("the suite for replicas", () => {
  it.each(faults)("notices that $what", async ({ noticedBy, breakIt }) => {
    expect(replicasBehaviourNames).toContain(noticedBy);
    const body = behavioursOf(breakIt).get(noticedBy);
    await expect(body?.()).rejects.toThrow(/expected/);
  });
});
