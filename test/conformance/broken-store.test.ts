// The suite for stores must fail on a broken one: each fault here is noticed by the behaviours named.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { fileStore } from "../../src/adapters/file/store.ts";
import {
  storeBehaviourNames,
  storeConformance,
  type StoreHarness,
  type StorePlace,
} from "../../src/conformance/index.ts";
import { parsePlace } from "../../src/core/place.ts";
import type { AdapterContext } from "../../src/ports/adapter.ts";
import type { Store, StoreEntry } from "../../src/ports/store.ts";
import { withChanges } from "./broken.ts";

const context: AdapterContext = {
  engine: { connect: () => Promise.reject(new Error("a store needs no engine")), uniqueName: (prefix) => prefix },
  now: () => Date.now(),
  pause: (ms) => new Promise((resolve) => setTimeout(resolve, ms)),
  notice: () => undefined,
};

async function soundPlace(): Promise<StorePlace> {
  const folder = mkdtempSync(join(tmpdir(), "millrace-broken-"));
  const make = (): Store => fileStore(parsePlace(`file:${join(folder, "store.db")}`), context);
  return { store: make(), other: async () => make(), dispose: async () => rmSync(folder, { recursive: true }) };
}

/** The suite as a table of behaviours instead of tests, so that their failing can be the expected outcome. */
function behavioursOf(
  create: StoreHarness["create"],
  skips: StoreHarness["skips"] = {},
): Map<string, () => Promise<void>> {
  const found = new Map<string, () => Promise<void>>();
  const register = (name: string, body: () => Promise<void>): unknown => found.set(name, body);
  const api = {
    describe: (_: string, body: () => void): unknown => body(),
    it: Object.assign(register, { skip: register }),
    expect,
  };
  storeConformance({ name: "broken", api, create, skips });
  return found;
}

async function run(behaviours: ReadonlyMap<string, () => Promise<void>>, name: string): Promise<void> {
  const body = behaviours.get(name);
  if (body === undefined) throw new Error(`The suite has no behaviour "${name}"`);
  await body();
}

type Break = (store: Store) => Partial<Store>;

interface Fault {
  readonly what: string;
  readonly noticedBy: readonly string[];
  /** What it ends with where no expectation is reached; an expectation that does not hold when absent. */
  readonly error?: RegExp;
  readonly breakStore: Break;
}

const everyEntry =
  (change: (entry: StoreEntry) => StoreEntry): Break =>
  (store) => ({
    get: async (key) => {
      const entry = await store.get(key);
      return entry === undefined ? undefined : change(entry);
    },
  });

const everyList =
  (list: (store: Store, prefix: string) => AsyncIterable<StoreEntry>): Break =>
  (store) => ({ entries: (prefix) => list(store, prefix) });

async function allOf(entries: AsyncIterable<StoreEntry>): Promise<StoreEntry[]> {
  const all: StoreEntry[] = [];
  for await (const entry of entries) all.push(entry);
  return all;
}

/** Every key as another one. */
const everyKey =
  (change: (key: string) => string): Break =>
  (store) => ({
    get: (key) => store.get(change(key)),
    put: (key, value, options) => store.put(change(key), value, options),
    remove: (key) => store.remove(change(key)),
  });

/** Reads first and writes then, so that another may write in between. */
const comparesOutside: Break = (store) => ({
  put: async (key, value, options = {}) => {
    const before = (await store.get(key))?.version ?? 0;
    if (options.expected !== undefined && options.expected !== before) return false;
    return store.put(key, value);
  },
});

const counted = (next: (entry: StoreEntry) => number): Break =>
  everyEntry((entry) => ({ ...entry, version: next(entry) }));

/** Reads its own copy of what was there when it was first asked. */
const readsStale: Break = (store) => {
  const seen = new Map<string, StoreEntry | undefined>();
  return {
    get: async (key) => {
      if (!seen.has(key)) seen.set(key, await store.get(key));
      return seen.get(key);
    },
  };
};

const faults: readonly Fault[] = [
  {
    what: "cannot be opened twice",
    noticedBy: ["opens from several stores at once, and again"],
    error: /already exists/,
    breakStore: (store) => {
      let opened = false;
      return {
        open: async () => {
          if (opened) throw new Error("relation already exists");
          opened = true;
          await store.open();
        },
      };
    },
  },
  {
    what: "takes null for nothing",
    noticedBy: ["gives nothing for a key that is not there", "gives every value back as it was"],
    breakStore: (store) => ({
      get: async (key) => {
        const entry = await store.get(key);
        return entry?.value === null ? undefined : entry;
      },
    }),
  },
  {
    what: "sorts the names of objects, as jsonb does",
    noticedBy: ["gives every value back as it was"],
    breakStore: everyEntry((entry) => {
      const { value } = entry;
      if (typeof value !== "object" || value === null || Array.isArray(value)) return entry;
      return { ...entry, value: Object.fromEntries(Object.entries(value).toSorted(([a], [b]) => (a < b ? -1 : 1))) };
    }),
  },
  {
    what: "reads what it has read before",
    noticedBy: [
      "shows what was written to others at once",
      "gives another version to whatever is written again",
      "loses no step of many that count on what they read",
    ],
    // The steps never end: each expects the version that was there first.
    error: /expected .* to deeply equal|never ends/,
    breakStore: (store) => {
      let asked = 0;
      const { get } = readsStale(store);
      return {
        get: async (key) => {
          asked += 1;
          if (asked > 500) throw new Error("never ends");
          return get?.(key);
        },
      };
    },
  },
  {
    what: "keeps what is written to itself",
    noticedBy: [
      "shows what was written to others at once",
      "keeps what was written when the place is opened again",
      "lets one of many write what all expect not to be there",
      "keeps one of many values that are written at once, for all",
    ],
    breakStore: (store) => everyKey((key) => `${key} of ${numberOf(store)}`)(store),
  },
  {
    what: "keeps what is there",
    noticedBy: ["writes over a value"],
    breakStore: (store) => ({
      put: async (key, value, options) => {
        await store.put(key, value, options ?? { expected: 0 });
        return true;
      },
    }),
  },
  {
    what: "always says that there was something to remove",
    noticedBy: ["removes an entry, and says whether there was one", "lets one of many remove an entry"],
    breakStore: (store) => ({
      remove: async (key) => {
        await store.remove(key);
        return true;
      },
    }),
  },
  {
    what: "removes more than it should",
    noticedBy: ["removes an entry, and says whether there was one"],
    breakStore: (store) => ({
      remove: async (key) => {
        for (const entry of await allOf(store.entries(key))) if (entry.key !== key) await store.remove(entry.key);
        return store.remove(key);
      },
    }),
  },
  ...[
    { what: "upper and lower case", change: (key: string) => key.toLowerCase() },
    { what: "blanks", change: (key: string) => key.trim() },
    { what: "how letters are written", change: (key: string) => key.normalize("NFC") },
    { what: "wide letters", change: (key: string) => key.normalize("NFKC") },
  ].map(({ what, change }) => ({
    what: `is blind to ${what}`,
    noticedBy: ["takes keys that differ in anything for different ones"],
    breakStore: everyKey(change),
  })),
  {
    what: "lists by units of UTF-16",
    noticedBy: ["lists entries by key in code point order"],
    breakStore: everyList(async function* (store, prefix) {
      yield* (await allOf(store.entries(prefix))).toSorted((a, b) => (a.key < b.key ? -1 : 1));
    }),
  },
  {
    what: "lists as people sort",
    noticedBy: ["lists entries by key in code point order"],
    breakStore: everyList(async function* (store, prefix) {
      yield* (await allOf(store.entries(prefix))).toSorted((a, b) => a.key.localeCompare(b.key));
    }),
  },
  {
    what: "takes a prefix for a pattern of LIKE",
    noticedBy: ["lists the entries whose keys start with a prefix, taken literally"],
    breakStore: everyList(async function* (store, prefix) {
      const pattern = new RegExp(`^${prefix.replaceAll("%", ".*").replaceAll("_", ".")}`, "u");
      for await (const entry of store.entries("")) if (pattern.test(entry.key)) yield entry;
    }),
  },
  {
    what: "lists one page",
    noticedBy: ["lists many entries, each once", "lists while entries are removed"],
    breakStore: everyList(async function* (store, prefix) {
      yield* (await allOf(store.entries(prefix))).slice(0, 50);
    }),
  },
  {
    what: "lists by counting how many it had, so that it jumps over some",
    noticedBy: ["lists while entries are removed"],
    breakStore: everyList(async function* (store, prefix) {
      for (let from = 0; ; from += 10) {
        const page = (await allOf(store.entries(prefix))).slice(from, from + 10);
        yield* page;
        if (page.length < 10) return;
      }
    }),
  },
  {
    what: "cuts what is too long",
    noticedBy: ["takes keys and values of the greatest length, and refuses longer ones"],
    breakStore: (store) => ({
      put: async (key, value, options) => {
        try {
          return await store.put(key, value, options);
        } catch (error) {
          if (!(error instanceof TypeError)) throw error;
          return store.put(key.slice(0, 100), "cut", options);
        }
      },
    }),
  },
  {
    what: "has no version",
    noticedBy: ["gives another version to whatever is written again"],
    breakStore: counted(() => 0),
  },
  {
    what: "makes the version of the value",
    noticedBy: [
      "gives another version to whatever is written again",
      "never gives a version of an entry again that was removed",
    ],
    breakStore: counted(({ value }) => JSON.stringify(value).length),
  },
  {
    what: "gives another version at every look",
    noticedBy: ["shows one version to all, and leaves it where others write"],
    breakStore: (() => {
      let looks = 0;
      return counted(({ version }) => version + 1000 * (looks += 1));
    })(),
  },
  {
    what: "writes whatever was expected",
    noticedBy: [
      "writes an entry that is expected not to be there",
      "writes where the version is the one that is expected",
      "lets one of many write what all expect not to be there",
    ],
    breakStore: (store) => ({ put: (key, value) => store.put(key, value) }),
  },
  {
    what: "says no, and writes",
    noticedBy: ["writes an entry that is expected not to be there"],
    breakStore: (store) => ({
      put: async (key, value, options) => {
        const done = await store.put(key, value, options);
        if (!done) await store.put(key, value);
        return done;
      },
    }),
  },
  {
    what: "writes what is gone where a version was expected",
    noticedBy: ["writes where the version is the one that is expected"],
    breakStore: (store) => ({
      put: async (key, value, options) =>
        (await store.get(key)) === undefined ? store.put(key, value) : store.put(key, value, options),
    }),
  },
  {
    what: "compares first and writes then",
    noticedBy: [
      "lets one of many write what all expect not to be there",
      "loses no step of many that count on what they read",
    ],
    breakStore: comparesOutside,
  },
];

const numbers = new WeakMap<Store, number>();
let stores = 0;
function numberOf(store: Store): number {
  const known = numbers.get(store);
  if (known !== undefined) return known;
  stores += 1;
  numbers.set(store, stores);
  return stores;
}

function broken(place: StorePlace, breakStore: Break): StorePlace {
  const wrapped = (store: Store): Store => withChanges(store, breakStore(store));
  return withChanges(place, { store: wrapped(place.store), other: async () => wrapped(await place.other()) });
}

/** An expectation that does not hold, and not a mistake of the test. */
const mismatch = /^expected .* to deeply equal/;

const pairs = faults.flatMap((fault) => fault.noticedBy.map((name) => ({ fault, what: fault.what, name })));

describe("a store that is not broken", () => {
  // Through the same wrappers, so that it is the faults that are noticed and not these.
  it.each(storeBehaviourNames)("%s", async (name) => {
    await run(
      behavioursOf(async () => broken(await soundPlace(), () => ({}))),
      name,
    );
  });
});

describe("a store that", () => {
  it.each(pairs)("$what is noticed by: $name", async ({ fault, name }) => {
    const create = async (): Promise<StorePlace> => broken(await soundPlace(), fault.breakStore);
    await expect(run(behavioursOf(create), name)).rejects.toThrow(fault.error ?? mismatch);
  });
});

describe("the suite", () => {
  const skipTest = "skips only behaviours of the suite, each with a reason";

  it("is tried with a fault for every behaviour", () => {
    const tried = new Set(pairs.map(({ name }) => name));
    expect(storeBehaviourNames.filter((name) => !tried.has(name))).toEqual([]);
  });

  it("refuses a skip without a reason", async () => {
    await expect(run(behavioursOf(soundPlace, { "writes over a value": " " }), skipTest)).rejects.toThrow(mismatch);
  });

  it("refuses a skip of a behaviour that it does not have", async () => {
    await expect(run(behavioursOf(soundPlace, { "writes under a value": "why" }), skipTest)).rejects.toThrow(mismatch);
  });

  it("shows what is skipped, and why", () => {
    const names = [...behavioursOf(soundPlace, { "writes over a value": "it is for ever" }).keys()];
    expect(names).toContain("writes over a value (skipped: it is for ever)");
  });
});
