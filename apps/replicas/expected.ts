import { type Drop, MillraceError, type Store } from "../../src/index.ts";

const keyPrefix = "expected/";

export interface ExpectedParts {
  readonly drop: Drop;
  readonly store: Store;
  /** Names of the files that are expected, parted by commas. */
  readonly names: string;
  readonly alert: (error: MillraceError) => Promise<void>;
}

/** Throws FILE_MISSING, and alerts, when a file that is expected is not there or is the one of the last time still. */
export async function requireExpected({ drop, store, names, alert }: ExpectedParts): Promise<void> {
  const missing: string[] = [];
  for (const name of names.split(",").map((one) => one.trim())) {
    if (name === "") continue;
    const file = await drop.look(name);
    const before = await store.get(keyPrefix + name);
    if (file === undefined || file.version === before?.value) missing.push(name);
    if (file !== undefined) await store.put(keyPrefix + name, file.version);
  }
  if (missing.length === 0) return;
  const error = new MillraceError("FILE_MISSING", `Files that are expected have not come: ${missing.join(", ")}`, {
    remedy: "Ask whoever brings them.",
  });
  await alert(error);
  throw error;
}
