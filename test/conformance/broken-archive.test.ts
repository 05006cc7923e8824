import { existsSync, mkdtempSync, readFileSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { fileArchive } from "../../src/adapters/file/index.ts";
import {
  archiveBehaviourNames,
  archiveConformance,
  type ArchiveHarness,
  type ArchivePlace,
} from "../../src/conformance/index.ts";
import { MillraceError } from "../../src/core/error.ts";
import { parsePlace } from "../../src/core/place.ts";
import type { AdapterContext } from "../../src/ports/adapter.ts";
import type { Archive, ArchiveEntry } from "../../src/ports/archive.ts";
import { withChanges } from "./broken.ts";

const context: AdapterContext = {
  engine: { connect: () => Promise.reject(new Error("an archive needs no engine")), uniqueName: (prefix) => prefix },
  now: () => Date.now(),
  pause: async () => undefined,
  notice: () => undefined,
};

/** A way to be broken, and the behaviours that must notice. */
interface Fault {
  readonly what: string;
  readonly noticedBy: readonly string[];
  /** What it ends with where no expectation is reached; an expectation that does not hold when absent. */
  readonly error?: RegExp;
  breakArchive(archive: Archive): Partial<Archive>;
}

async function* changed(
  archive: Archive,
  prefix: string,
  change: (entries: readonly ArchiveEntry[]) => readonly ArchiveEntry[],
): AsyncGenerator<ArchiveEntry> {
  const entries: ArchiveEntry[] = [];
  for await (const entry of archive.list(prefix)) entries.push(entry);
  yield* change(entries);
}

const changesFile =
  (change: (path: string) => void) =>
  (archive: Archive): Partial<Archive> => ({
    get: async (name, path) => {
      await archive.get(name, path);
      change(path);
    },
  });

/** While a file is kept, others that come get its content. */
const mixesUp = ((): Fault["breakArchive"] => {
  let under: string | undefined;
  return (archive) => ({
    put: async (name, path) => {
      const first = under === undefined;
      under ??= path;
      await archive.put(name, under);
      if (first) under = undefined;
    },
  });
})();

const faults: readonly Fault[] = [
  {
    what: "mends line ends",
    noticedBy: ["gives back what was kept, byte by byte"],
    breakArchive: changesFile((path) =>
      writeFileSync(path, readFileSync(path, "latin1").replaceAll("\r\n", "\n"), "latin1"),
    ),
  },
  {
    what: "loses what is beyond 20 MiB",
    noticedBy: ["gives back a file of many parts"],
    breakArchive: changesFile((path) => {
      if (readFileSync(path).length > 20 * 2 ** 20) truncateSync(path, 20 * 2 ** 20);
    }),
  },
  {
    what: "keeps files when it is closed",
    noticedBy: ["keeps what another archive on the place sees, also after closing"],
    breakArchive: (archive) => {
      const waiting: (() => Promise<void>)[] = [];
      return {
        put: async (name, path) => void waiting.push(() => archive.put(name, path)),
        close: async () => {
          for (const work of waiting.splice(0)) await work();
        },
      };
    },
  },
  {
    what: "never replaces a file",
    noticedBy: ["replaces what is kept under a name"],
    breakArchive: (archive) => ({
      put: async (name, path) => {
        for await (const entry of archive.list(name)) if (entry.name === name) return;
        await archive.put(name, path);
      },
    }),
  },
  {
    what: "removes the old file before it keeps the new one",
    noticedBy: ["shows the old file or the new one while it is replaced"],
    error: /keeps nothing under a\/b/,
    breakArchive: (archive) => ({
      put: async (name, path) => {
        await archive.remove(name);
        await archive.put(name, path);
      },
    }),
  },
  {
    what: "shows a file that is not finished under another name",
    noticedBy: ["shows the old file or the new one while it is replaced"],
    breakArchive: (archive) => ({
      put: async (name, path) => {
        await archive.put(`${name}.tmp`, path);
        await archive.put(name, path);
        await archive.remove(`${name}.tmp`);
      },
    }),
  },
  {
    what: "mixes files up that are kept at once",
    noticedBy: ["keeps many files at once"],
    breakArchive: mixesUp,
  },
  {
    what: "gives an empty file where there is nothing",
    noticedBy: ["says that nothing is kept under a name, and leaves no local file"],
    breakArchive: (archive) => ({
      get: async (name, path) => {
        await archive.get(name, path).catch((error: unknown) => {
          writeFileSync(path, "");
          throw error;
        });
      },
    }),
  },
  {
    what: "writes over local files",
    noticedBy: ["leaves a local file alone that is there already"],
    breakArchive: (archive) => ({
      get: async (name, path) => {
        rmSync(path, { force: true });
        await archive.get(name, path);
      },
    }),
  },
  {
    what: "takes a local file that is not there for an empty one",
    noticedBy: ["keeps nothing of a local file that is not there"],
    breakArchive: (archive) => ({
      put: async (name, path) => {
        if (!existsSync(path)) writeFileSync(path, "");
        await archive.put(name, path);
      },
    }),
  },
  {
    what: "removes all that starts with the name",
    noticedBy: ["removes what is kept, and only that"],
    breakArchive: (archive) => ({
      remove: async (name) => {
        for await (const entry of archive.list(name)) await archive.remove(entry.name);
      },
    }),
  },
  {
    what: "complains about what is gone already",
    noticedBy: ["removes what is gone already"],
    breakArchive: (archive) => ({
      remove: async (name) => {
        for await (const entry of archive.list(name)) if (entry.name === name) return archive.remove(name);
        throw new MillraceError("FILE_MISSING", "gone", { remedy: "" });
      },
    }),
  },
  {
    what: "cannot be listed before anything was kept",
    noticedBy: ["lists nothing where nothing was kept yet"],
    error: /no such place/,
    breakArchive: (archive) => ({
      list: (prefix) =>
        changed(archive, prefix, (entries) => {
          if (entries.length === 0) throw new Error("no such place");
          return entries;
        }),
    }),
  },
  {
    what: "lists in the order of a folder's walk",
    noticedBy: ["lists names in order, with sizes"],
    breakArchive: (archive) => ({
      list: (prefix) => changed(archive, prefix, (entries) => entries.toSorted((a, b) => a.name.localeCompare(b.name))),
    }),
  },
  {
    what: "knows no sizes",
    noticedBy: ["lists names in order, with sizes"],
    breakArchive: (archive) => ({
      list: (prefix) => changed(archive, prefix, (entries) => entries.map(({ name }) => ({ name, sizeBytes: 0 }))),
    }),
  },
  {
    what: "takes every prefix for a folder",
    noticedBy: ["lists the names that start with a text, which need not be a folder"],
    breakArchive: (archive) => ({
      list: (prefix) => archive.list(prefix === "" || prefix.endsWith("/") ? prefix : `${prefix}/`),
    }),
  },
  {
    what: "hides names that start with a dot",
    noticedBy: ["keeps names of many segments, long ones and odd ones"],
    breakArchive: (archive) => ({
      list: (prefix) => changed(archive, prefix, (entries) => entries.filter(({ name }) => !/(^|\/)\./.test(name))),
    }),
  },
  {
    what: "makes a name of what is none",
    noticedBy: ["refuses what is no name"],
    breakArchive: (archive) => ({
      put: (name, path) => archive.put(name.replaceAll(/[^A-Za-z0-9]/g, "_") || "_", path),
    }),
  },
];

function filePlace(): ArchivePlace {
  const root = mkdtempSync(join(tmpdir(), "millrace-broken-"));
  const open = (): Archive => fileArchive(parsePlace(`file:${root}`), context);
  return { archive: open(), other: async () => open(), dispose: async () => rmSync(root, { recursive: true }) };
}

const brokenPlace = ({ breakArchive }: Pick<Fault, "breakArchive">): ArchivePlace => {
  const place = filePlace();
  const broken = (archive: Archive): Archive => withChanges(archive, breakArchive(archive));
  return withChanges(place, { archive: broken(place.archive), other: async () => broken(await place.other()) });
};

/** The suite as a table of behaviours instead of tests, so that their failing can be the expected outcome. */
function behavioursOf(
  create: ArchiveHarness["create"],
  skips: ArchiveHarness["skips"] = {},
): Map<string, () => Promise<void>> {
  const found = new Map<string, () => Promise<void>>();
  const register = (name: string, body: () => Promise<void>): unknown => found.set(name, body);
  const api = {
    describe: (_: string, body: () => void): unknown => body(),
    it: Object.assign(register, { skip: register }),
    expect,
  };
  archiveConformance({ name: "broken", api, create, skips });
  return found;
}

async function run(behaviours: ReadonlyMap<string, () => Promise<void>>, name: string): Promise<void> {
  const body = behaviours.get(name);
  if (body === undefined) throw new Error(`The suite has no behaviour "${name}"`);
  await body();
}

/** An expectation that does not hold, and not a mistake of the test. */
const mismatch = /^expected .* to deeply equal/;

const pairs = faults.flatMap((fault) => fault.noticedBy.map((name) => ({ fault, what: fault.what, name })));

describe("an archive that is not broken", () => {
  // Through the same wrappers, so that it is the faults that are noticed and not these.
  it.each(archiveBehaviourNames)("%s", async (name) => {
    await run(
      behavioursOf(async () => brokenPlace({ breakArchive: () => ({}) })),
      name,
    );
  });
});

describe("an archive that", () => {
  it.each(pairs)("$what is noticed by: $name", async ({ fault, name }) => {
    const behaviours = behavioursOf(async () => brokenPlace(fault));
    await expect(run(behaviours, name)).rejects.toThrow(fault.error ?? mismatch);
  });
});

describe("the suite", () => {
  const skipTest = "skips only behaviours of the suite, each with a reason";

  it("is tried with a fault for every behaviour", () => {
    const tried = new Set(pairs.map(({ name }) => name));
    expect(archiveBehaviourNames.filter((name) => !tried.has(name))).toEqual([]);
  });

  it.each([
    ["without a reason", { "lists nothing where nothing was kept yet": " " }],
    ["of a behaviour that it does not have", { "lists everything": "because" }],
  ])("refuses a skip %s", async (_, skips) => {
    const behaviours = behavioursOf(async () => filePlace(), skips);
    await expect(run(behaviours, skipTest)).rejects.toThrow(mismatch);
  });
});
