import type { Measured } from "./program.ts";

/** One way to do the work. Every run starts from nothing and is checked: a fast wrong answer is a failure. */
export interface Contestant {
  readonly name: string;
  /** Makes the place to load into as it was before. Not measured. */
  reset(): Promise<void>;
  run(): Promise<Measured>;
  /** Throws when what was loaded is not what should have been. */
  verify(measured: Measured): Promise<void>;
}

/** Throws unless all are as expected. */
export function expectCounts(
  name: string,
  found: Readonly<Record<string, number>>,
  wanted: Readonly<Record<string, number>>,
): void {
  for (const [what, count] of Object.entries(wanted)) {
    if (found[what] !== count) throw new Error(`${name}: ${what} is ${found[what]} and must be ${count}`);
  }
}
