import type { UniqueIndex } from "./catalog.ts";
import { type Loading, purpose } from "./loading.ts";
import { columnList, foldName, quoteName } from "./names.ts";

/**
 * Many rows of a batch may meet keys that are there, as when a file is loaded twice: asking the table for each of them takes
 * long. Here they are found at once, on the way from the stage `from` into the table.
 */
export interface Repeats {
  readonly loading: Loading;
  /** The staged rows, and the name of the column with their numbers, quoted. */
  readonly from: string;
  readonly number: string;
}

const later = "millrace_later";
const entryChars = 64;
const duplicate = 1062;

/** Unique indexes that the rows have all columns of; by others they meet nothing before they are written. */
function indexesOf({ table, columns }: Loading): readonly UniqueIndex[] {
  const names = new Set(columns.map((column) => foldName(column.name)));
  return table.uniques.filter((index) => index.columns.every((column) => names.has(foldName(column))));
}

/** Refuses the staged rows whose keys are in the table, and takes them out of the stage. */
export async function refuseRepeats({ loading, from, number }: Repeats): Promise<void> {
  const { session, tableSql, refusals } = loading;
  for (const index of indexesOf(loading)) {
    const own = index.columns.map((name) => `${from}.${quoteName(name)}`);
    const same = index.columns.map((name, at) => `t.${quoteName(name)} = ${own[at]}`).join(" and ");
    const isThere = `exists (select 1 from ${tableSql} t where ${same})`;
    const entry = `left(concat_ws('-', ${own.join(", ")}), ${entryChars})`;
    const sql = `select ${number} as \`row\`, cast(${entry} as char) as entry from ${from} where ${isThere}`;
    const { rows } = await session.ask<{ row: number; entry: string }>(purpose, sql);
    for (const found of rows) {
      const message = `Duplicate entry '${found.entry}' for key '${index.name}'`;
      refusals.push({ row: Number(found.row), fault: { number: duplicate, message, row: undefined } });
    }
    if (rows.length > 0) await session.ask(purpose, `delete from ${from} where ${isThere}`);
  }
}

/** Takes the rows out of the stage that repeat the key of one before them; gives their number. `bringBack` has them. */
export async function holdBack({ loading, from, number }: Repeats): Promise<number> {
  const { session, columns } = loading;
  const ranks = indexesOf(loading).map(({ columns: key }) => {
    const names = key.map((name) => `p.${quoteName(name)}`);
    const isNull = names.map((name) => `${name} is null`).join(" or ");
    return `case when ${isNull} then 1 else row_number() over (partition by ${names.join(", ")} order by p.${number}) end`;
  });
  await session.ask(purpose, `drop temporary table if exists ${later}`);
  if (ranks.length === 0) return 0;
  await session.ask(purpose, `create temporary table ${later} like ${from}`);
  const list = `${number}, ${columnList(columns.map((column) => column.name))}`;
  const repeats = ranks.map((_, at) => `\`_millrace_r${at}\` > 1`).join(" or ");
  const ranked = ranks.map((rank, at) => `${rank} as \`_millrace_r${at}\``).join(", ");
  const move = `insert into ${later} (${list}) select ${list} from (select p.*, ${ranked} from ${from} p) ranked where ${repeats}`;
  const { count } = await session.ask(purpose, move);
  if (count > 0) {
    await session.ask(purpose, `delete from ${from} where ${number} in (select ${number} from ${later})`);
  }
  return count;
}

/** The stage then has those that were held back, and no others. */
export async function bringBack({ loading, from }: Repeats): Promise<void> {
  await loading.session.ask(purpose, `delete from ${from}`);
  await loading.session.ask(purpose, `insert into ${from} select * from ${later}`);
  await loading.session.ask(purpose, `drop temporary table ${later}`);
}
