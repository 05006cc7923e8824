import { RowQuestionError } from "../../core/row-query.ts";
import { RowsRefused } from "../../runtime/row-text.ts";
import { type FieldFault, Problem } from "../problem.ts";

/** What callers are told of questions and rows that are at fault; other errors as they are. */
export function rowProblem(error: unknown): Error {
  if (error instanceof RowQuestionError) {
    return faults("The question cannot be understood", "REQUEST_INVALID", [
      { loc: ["query", error.field], msg: error.message, type: "value_error" },
    ]);
  }
  if (error instanceof RowsRefused) {
    const isOne = error.faults.length === 1 && error.faults[0]?.row === 0;
    const detail = error.faults.flatMap(({ row, reasons }) =>
      reasons.map(
        ({ code, column, message }): FieldFault => ({
          loc: ["body", ...(isOne ? [] : [row]), ...(column === undefined ? [] : [column])],
          msg: message,
          type: `value_error.${code}`,
        }),
      ),
    );
    return faults("The contract refuses the row", "ROW_INVALID", detail);
  }
  return error instanceof Error ? error : new Error(String(error));
}

export function pathFault(name: string, words: string): Problem {
  return faults("There can be no row of that key", "REQUEST_INVALID", [
    { loc: ["path", name], msg: `must be ${words}`, type: "value_error" },
  ]);
}

export function bodyFault(msg: string): Problem {
  return faults("The body has a mistake", "REQUEST_INVALID", [{ loc: ["body"], msg, type: "value_error" }]);
}

function faults(error: string, code: string, detail: readonly FieldFault[]): Problem {
  return new Problem(422, { error, code, remedy: "Mend what detail names; see /docs.", detail });
}
