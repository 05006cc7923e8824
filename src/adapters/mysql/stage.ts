import { MillraceError, reportRemedy } from "../../core/error.ts";
import { isRowError } from "./errors.ts";
import { fill } from "./fill.ts";
import { formsOf } from "./forms.ts";
import { attempt, isolate, type Loading, notStored, purpose, type Range } from "./loading.ts";
import { columnList, quoteName } from "./names.ts";
import { codeOf, faultFrom, faultOf, indexOf, type RowFault } from "./refusal.ts";
import { bringBack, holdBack, refuseRepeats } from "./repeats.ts";

/**
 * The stage is two temporary tables. `raw` takes whatever a row holds, as text, with the row's number; `typed` has columns
 * as the target has them, so that what goes there is checked and converted as it would be on its way into the target. From
 * there rows go on set by set, and sets are taken apart where one is refused.
 */
const raw = "millrace_raw";
const typed = "millrace_typed";
const number = "`_millrace_n`";

/** Writes the rows by way of the stage, merged by key if they are to be. Throws NOT_BALANCED when the table drops rows. */
export async function loadStaged(loading: Loading): Promise<void> {
  const { session } = loading;
  await dropStage(loading);
  await fillRaw(loading);
  await fillTyped(loading);
  const all = { low: 0, high: loading.count };
  if (loading.mergeKey === undefined) await appendAll(loading, all);
  else await isolate(loading, all, (part) => mergePart(loading, part));
  await retryReferences(loading);
  const { fresh, count, refusals } = loading;
  if (loading.mergeKey === undefined && fresh + refusals.length !== count) {
    throw notStored(loading, fresh, count - refusals.length);
  }
  await session.ask(purpose, `drop temporary table if exists ${typed}`);
}

async function dropStage({ session }: Loading): Promise<void> {
  await session.ask(purpose, `drop temporary table if exists ${raw}, ${typed}`);
}

async function fillRaw(loading: Loading): Promise<void> {
  const { session, columns, count } = loading;
  const names = columns.map((_, index) => `c${index}`);
  const list = names.map((name) => `${name} longtext null`).join(", ");
  const table = `create temporary table ${raw} (${number} int not null primary key, ${list}) engine=InnoDB character set utf8mb4 collate utf8mb4_bin`;
  await session.ask(purpose, table);
  const filled = { table: raw, columns: names, forms: names.map(() => undefined), number };
  const { count: arrived, warnings } = await fill(loading, filled);
  if (arrived === count && warnings === 0) return;
  throw new MillraceError("INTERNAL", `Of ${count} rows ${arrived} reached the server, with ${warnings} warnings`, {
    remedy: reportRemedy,
  });
}

/** Rows whose values the columns do not take are refused here. */
async function fillTyped(loading: Loading): Promise<void> {
  const { session, columns, table, tableSql, count } = loading;
  const names = columnList(columns.map((column) => column.name));
  const create = `create temporary table ${typed} (primary key (${number})) engine=InnoDB select cast(0 as signed) as ${number}, ${names} from ${tableSql} limit 0`;
  await session.ask(purpose, create);
  const forms = formsOf(table, columns).map((form, index) => form?.(`c${index}`) ?? `c${index}`);
  const move = `insert into ${typed} (${number}, ${names}) select ${number}, ${forms.join(", ")} from ${raw}`;
  await isolate(loading, { low: 0, high: count }, async ({ low, high }) => {
    await session.ask(purpose, "savepoint millrace");
    const sql = `${move} where ${number} >= ? and ${number} < ? order by ${number}`;
    const { warnings } = await session.ask(purpose, sql, [low, high]);
    if (warnings === 0) return undefined;
    // Something was cut or rounded without an error.
    const fault = await firstWarning(loading);
    await session.ask(purpose, "rollback to savepoint millrace");
    return fault;
  });
  await session.ask(purpose, `drop temporary table ${raw}`);
}

interface Warning {
  readonly Code: number;
  readonly Message: string;
}

async function firstWarning({ session }: Loading): Promise<RowFault> {
  const { rows } = await session.ask<Warning>(purpose, "show warnings limit 1");
  return faultFrom(rows[0]?.Code ?? 0, rows[0]?.Message ?? "A value was changed");
}

const isIn = ({ low, high }: Range): string => `${number} >= ${low} and ${number} < ${high}`;

/** Rows of a part that are still there: those refused before have not come so far. */
function rowsIn({ refusals }: Loading, { low, high }: Range): number {
  return high - low - refusals.filter(({ row }) => row >= low && row < high).length;
}

function writePart(loading: Loading, part: Range): Promise<RowFault | undefined> {
  return loading.mergeKey === undefined ? appendPart(loading, part) : mergePart(loading, part);
}

/** How often rows that repeat a key of the batch are looked at together: one of a key may have been refused for another reason. */
const roundsMax = 3;

async function appendAll(loading: Loading, all: Range): Promise<void> {
  const append = (part: Range): Promise<undefined> => appendPart(loading, part);
  const fault = await attempt(() => append(all));
  if (fault === undefined) return;
  const repeats = { loading, from: typed, number };
  // Rows that refer to each other are wanted again, whatever they were refused for.
  const together = codeOf(fault.number) === "duplicate" && !loading.table.selfReference;
  for (let round = 1; together && round <= roundsMax; round += 1) {
    await refuseRepeats(repeats);
    const held = await holdBack(repeats);
    await isolate(loading, all, append);
    if (held === 0) return;
    await bringBack(repeats);
  }
  await isolate(loading, all, append);
}

async function appendPart(loading: Loading, part: Range): Promise<undefined> {
  const { session, tableSql, columns } = loading;
  const names = columnList(columns.map((column) => column.name));
  const sql = `insert into ${tableSql} (${names}) select ${names} from ${typed} where ${isIn(part)} order by ${number}`;
  loading.fresh += (await session.ask(purpose, sql)).count;
}

/**
 * In a table that refers to itself a row may have been refused only because the one that it refers to came later in
 * the batch. Those are tried again until no more of them get in.
 */
async function retryReferences(loading: Loading): Promise<void> {
  if (!loading.table.selfReference) return;
  for (let before = Number.POSITIVE_INFINITY; ; ) {
    const waiting = loading.refusals.filter(({ fault }) => isReference(fault)).toSorted((a, b) => a.row - b.row);
    if (waiting.length === 0 || waiting.length >= before) return;
    before = waiting.length;
    const others = loading.refusals.filter(({ fault }) => !isReference(fault));
    loading.refusals.splice(0, loading.refusals.length, ...others);
    for (const { row } of waiting) {
      const range = { low: row, high: row + 1 };
      await isolate(loading, range, (part) => writePart(loading, part));
    }
  }
}

const isReference = ({ number: code }: RowFault): boolean => code === 1452 || code === 1216;

/** How often a key is looked for again that was not there, and then was. */
const lookAgainMax = 5;

/** Adds the rows whose keys are not there and changes the others. Of equal keys in a part the last wins. */
async function mergePart(loading: Loading, part: Range): Promise<RowFault | undefined> {
  const { session } = loading;
  if (rowsIn(loading, part) === 0) return undefined;
  for (let look = 1; ; look += 1) {
    await session.ask(purpose, "savepoint millrace");
    try {
      loading.fresh += await mergeOnce(loading, part);
      return undefined;
    } catch (error) {
      const fault = isRowError(error) ? faultOf(error) : undefined;
      if (fault === undefined) throw error;
      await session.ask(purpose, "rollback to savepoint millrace");
      // Another transaction added the key between the two statements.
      const isKey = loading.keyIndexes.has(indexOf(fault) ?? "");
      if (!isKey || look === lookAgainMax) return fault;
    }
  }
}

/** Gives the number of rows that are new. */
async function mergeOnce(loading: Loading, part: Range): Promise<number> {
  const { session, tableSql, columns, mergeKey = [] } = loading;
  const names = columns.map((column) => column.name);
  const list = columnList(names);
  const same = mergeKey.map((name) => `t.${quoteName(name)} = s.${quoteName(name)}`).join(" and ");
  // In the order of the key, so that two merges take their row locks in the same order.
  const order = `order by ${mergeKey.map((name) => `s.${quoteName(name)}`).join(", ")}`;
  const lastOnes = `(${lastOfKeySql(mergeKey, part)}) s`;
  const insert = `insert into ${tableSql} (${list}) select ${list} from`;
  const add = `${insert} ${lastOnes} where not exists (select 1 from ${tableSql} t where ${same}) ${order}`;
  const { count: fresh } = await session.ask(purpose, add);
  const rest = names.filter((name) => !mergeKey.includes(name)).map(quoteName);
  if (fresh === rowsIn(loading, part) || rest.length === 0) return fresh;
  const sets = rest.map((name) => `t.${name} = s.${name}`).join(", ");
  // Only where no other key can be met; it takes half the time. Of equal keys the last comes last.
  const change = loading.otherUniques
    ? `update ${tableSql} t join ${lastOnes} on ${same} set ${sets}`
    : `${insert} ${typed} s where ${isIn(part)} ${order}, s.${number} on duplicate key update ${rest.map((name) => `${tableSql}.${name} = s.${name}`).join(", ")}`;
  await session.ask(purpose, change);
  return fresh;
}

/** Of rows of one key, as the table compares them, the one that comes last. */
function lastOfKeySql(key: readonly string[], part: Range): string {
  const names = key.map((name) => `p.${quoteName(name)}`).join(", ");
  const ranked = `select p.*, row_number() over (partition by ${names} order by p.${number} desc) as \`_millrace_r\` from ${typed} p where ${isIn(part)}`;
  return `select * from (${ranked}) ranked where \`_millrace_r\` = 1`;
}
