import type { Contract } from "../core/contract.ts";
import { MillraceError } from "../core/error.ts";

/** DuckDB gives no code through its driver: the text begins with the error's class. What a contract's own SQL raises. */
const ofTheContract =
  /^(?:Failed to extract statements: )?(Binder|Parser|Catalog|Conversion|Invalid Input|Out of Range|Not implemented) Error/i;

/** The engine's error about a whole batch as one with a code; what is not about contract, memory or disk stays as it is. */
export function explainCheck(error: unknown, contract: Contract): unknown {
  if (error instanceof MillraceError || !(error instanceof Error)) return error;
  const text = error.message.split(/\n\s*\n|\nLINE /)[0]?.trim() ?? error.message;
  if (/^Out of Memory Error/i.test(text)) {
    return new MillraceError("MEMORY", `The engine lacks the memory to check a batch: ${text}`, {
      remedy: "Give more with --memory, or read fewer lanes at once with --parallel.",
      cause: error,
    });
  }
  if (/No space left on device|Disk quota exceeded/i.test(text)) {
    return new MillraceError("DISK", `The engine cannot spill a batch to the disk: ${text}`, {
      remedy: "Make room there, or point TMPDIR at a folder with room.",
      cause: error,
    });
  }
  if (!ofTheContract.test(text) || !hasOwnSql(contract)) return error;
  return new MillraceError("CONTRACT_INVALID", `The contract of "${contract.table}" cannot be checked: ${text}`, {
    remedy:
      "Mend the rule that the message is about. Checks are SQL conditions over the columns: use try_cast and the like where a value may not fit. Patterns are RE2; bounds are values of the column's type.",
    at: { table: contract.table },
    cause: error,
  });
}

/** Whether the contract says anything that the engine evaluates besides types. */
function hasOwnSql({ checks, columns }: Contract): boolean {
  const isRuled = ({ min, max, pattern, oneOf, format }: Contract["columns"][string]): boolean =>
    [min, max, pattern, oneOf, format].some((rule) => rule !== undefined);
  return checks.length > 0 || Object.values(columns).some(isRuled);
}
