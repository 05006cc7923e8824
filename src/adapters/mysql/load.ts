import { fill } from "./fill.ts";
import { formsOf } from "./forms.ts";
import { attempt, type Loading, purpose } from "./loading.ts";
import { quoteName } from "./names.ts";
import { faultFrom } from "./refusal.ts";
import { loadStaged } from "./stage.ts";

/** Batches by the stage, after which writing right into the table is tried again. */
const stagedMax = 16;

/**
 * What the last batches of a table were like. `whole`: a batch goes right into the table. `staged`: rows are merged into
 * ones that are there, or refused, again and again.
 */
export interface Habit {
  way: "whole" | "staged";
  /** Batches in a row that went by the stage. */
  staged: number;
}

export const newHabit = (): Habit => ({ way: "whole", staged: 0 });

/** Writes all rows but those that the database refuses; these end in `loading.refusals`, in order. */
export async function loadRows(loading: Loading, habit: Habit): Promise<void> {
  if (habit.way === "whole" && (await loadWhole(loading))) return;
  await loadStaged(loading);
  loading.refusals.sort((a, b) => a.row - b.row);
  habit.staged += 1;
  const plain = loading.refusals.length === 0 && loading.fresh === loading.count;
  const again = plain || habit.staged > stagedMax;
  if (again) habit.staged = 0;
  habit.way = again ? "whole" : "staged";
}

/** Right into the table; true when every row arrived as it is, otherwise none has. */
async function loadWhole(loading: Loading): Promise<boolean> {
  const { session, columns, table, tableSql, count } = loading;
  const filled = {
    table: tableSql,
    columns: columns.map((column) => quoteName(column.name)),
    forms: formsOf(table, columns),
  };
  await session.ask(purpose, "savepoint millrace");
  const fault = await attempt(async () => {
    const { count: arrived, warnings } = await fill(loading, filled);
    // A warning stands for a row that was left out, or a value that was changed.
    return arrived === count && warnings === 0 ? undefined : faultFrom(0, "");
  });
  if (fault === undefined) loading.fresh = count;
  else await session.ask(purpose, "rollback to savepoint millrace");
  return fault === undefined;
}
