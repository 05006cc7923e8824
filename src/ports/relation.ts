import type { Column } from "../core/contract.ts";

/** A column of a relation in the engine, as a look at all of its values needs it. */
export interface ReadColumn {
  readonly name: string;
  /** The type that is known, or guessed, of its values. */
  readonly column: Column;
  /** SQL of a value as text. */
  readonly text: string;
  /** SQL of a value in the column's type. */
  readonly value: string;
  /** The engine's own type, where the relation has one; absent where all is text. */
  readonly kept?: string;
  /** A condition that is true for a value that the type, which is a guess then, may not hold. */
  readonly misfits?: string;
}
