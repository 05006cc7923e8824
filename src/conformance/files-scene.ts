import type { Drop } from "../ports/drop.ts";
import type { Files } from "../ports/files.ts";
import type { TestApi } from "./harness.ts";

/** A fresh, empty folder for one behaviour. Paths are those in it. */
export interface FolderPlace {
  /** The files that the path or pattern in the folder means; closed by the suite. */
  files(pattern: string): Files;
  /** The folder as a drop, not yet opened; closed by the suite. */
  drop(): Promise<Drop>;
  /** Puts a file there by other means. */
  put(path: string, content: string | Uint8Array): Promise<void>;
  /** Paths of all files there, in order, by other means. */
  paths(): Promise<readonly string[]>;
  dispose(): Promise<void>;
}

export interface FolderHarness {
  /** What the suite is run against, for people: `file`, `ftp`. */
  readonly name: string;
  readonly api: TestApi;
  create(): Promise<FolderPlace>;
  /** Behaviours, by name, that the place cannot have, each with the reason. An unknown name or an empty reason fails. */
  readonly skips: Readonly<Record<string, string>>;
  /** For one behaviour; 60 000 when absent. */
  readonly timeoutMs?: number;
}

/** What one behaviour plays on. */
export interface FolderScene extends Pick<FolderPlace, "files" | "put" | "paths"> {
  readonly expect: TestApi["expect"];
  /** The folder as a drop that is open. */
  drop(): Promise<Drop>;
}

/** A behaviour of a suite. Its name is what a skip refers to, so it is never changed lightly. */
export interface FolderBehaviour {
  readonly name: string;
  run(scene: FolderScene): Promise<void>;
}

/** Registers the behaviours, each on a fresh place, as `filesConformance` says. */
export function registerSuite(title: string, harness: FolderHarness, behaviours: readonly FolderBehaviour[]): void {
  const { api, skips, name: against } = harness;
  api.describe(`${title} conformance: ${against}`, () => {
    api.it("skips only behaviours of the suite, each with a reason", async () => {
      const names = behaviours.map(({ name }) => name);
      const wrong = Object.entries(skips).filter(([name, reason]) => !names.includes(name) || reason.trim() === "");
      api.expect(wrong).toEqual([]);
    });
    for (const behaviour of behaviours) {
      const run = (): Promise<void> => play(harness, behaviour);
      const reason = skips[behaviour.name];
      if (reason === undefined) api.it(behaviour.name, run, harness.timeoutMs ?? 60_000);
      else api.it.skip(`${behaviour.name} (skipped: ${reason})`, run);
    }
  });
}

async function play(harness: FolderHarness, behaviour: FolderBehaviour): Promise<void> {
  const place = await harness.create();
  const opened: { close(): Promise<void> }[] = [];
  const kept = <Opened extends { close(): Promise<void> }>(one: Opened): Opened => {
    opened.push(one);
    return one;
  };
  try {
    await behaviour.run({
      expect: (actual) => harness.api.expect(actual),
      files: (pattern) => kept(place.files(pattern)),
      put: (path, content) => place.put(path, content),
      paths: () => place.paths(),
      drop: async () => {
        const drop = kept(await place.drop());
        await drop.open();
        return drop;
      },
    });
  } finally {
    for (const one of opened) await one.close();
    await place.dispose();
  }
}

/** The end of a path: what stands before it is the place's own. */
export const nameOf = (path: string): string => path.split("/").at(-1) ?? "";
