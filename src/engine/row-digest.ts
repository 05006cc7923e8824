import type { EngineRow } from "../ports/engine.ts";

const wordBits = 64;
const wordDigits = wordBits / 4;

/**
 * A digest of rows that does not depend on their order, nor on the format that they are kept in: the SHA-256 of each
 * row's text (see `rowTextSql`), of which the first two words of 64 bits, big end first, are added up modulo 2^64, each
 * for itself. Shown as 32 hexadecimal digits, 32 zeros for no rows.
 */
export class RowDigest {
  #high = 0n;
  #low = 0n;

  /** Adds what the columns of `digestColumns` have come to. */
  add(sums: EngineRow): void {
    this.#high = word(this.#high, sums["digest_high"]);
    this.#low = word(this.#low, sums["digest_low"]);
  }

  toString(): string {
    return [this.#high, this.#low].map((sum) => sum.toString(16).padStart(wordDigits, "0")).join("");
  }
}

/** NULL is the sum of no rows. */
function word(sum: bigint, more: unknown): bigint {
  return BigInt.asUintN(wordBits, sum + (typeof more === "bigint" ? more : 0n));
}

/** The aggregates that `RowDigest.add` takes, over rows whose text has the SHA-256 `hash`, in hexadecimal digits. */
export function digestColumns(hash: string): string {
  const sum = (from: number): string => `sum(('0x' || substr(${hash}, ${from}, ${wordDigits}))::ubigint)`;
  return `${sum(1)} as digest_high, ${sum(1 + wordDigits)} as digest_low`;
}
