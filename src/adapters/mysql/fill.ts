import type { Form } from "./forms.ts";
import { literal } from "./literals.ts";
import type { Loading } from "./loading.ts";
import { purpose } from "./loading.ts";
import { quoteName } from "./names.ts";
import { fieldsOf, loadFormat, loadText } from "./row-text.ts";
import type { Answer, Session } from "./session.ts";

/** A table that is filled with a batch's rows, as texts of their CSV. */
export interface Filled {
  /** Quoted. */
  readonly table: string;
  /** In the order of the rows' columns, quoted. */
  readonly columns: readonly string[];
  /** What becomes of the columns' texts. */
  readonly forms: readonly Form[];
  /** Quoted name of the column that takes the row's number, from 0. */
  readonly number?: string;
}

/** Writes all rows of the batch at once. What the statement answers says how many arrived, and how many warnings there were. */
export function fill(loading: Loading, filled: Filled): Promise<Pick<Answer<object>, "count" | "warnings">> {
  return loading.takesFiles ? fillByFile(loading, filled) : fillByInsert(loading, filled);
}

/** LOCAL makes LOAD DATA warn of what it would refuse, and put something else in its place: whoever calls looks at the warnings. */
function fillByFile({ session, csv }: Loading, { table, columns, forms, number }: Filled): Promise<Answer<object>> {
  const taken = columns.map((name, index) => (forms[index] === undefined ? name : `@c${index}`));
  const sets = columns.flatMap((name, index) => {
    const form = forms[index];
    return form === undefined ? [] : [`${name} = ${form(`@c${index}`)}`];
  });
  const list = number === undefined ? taken : [number, ...taken];
  const set = sets.length === 0 ? "" : ` set ${sets.join(", ")}`;
  const sql = (file: string): string =>
    `load data local infile ${file} into table ${table} ${loadFormat(csv.delimiter)} (${list.join(", ")})${set}`;
  return session.load(purpose, sql, loadText(csv, number !== undefined));
}

/** Characters of one INSERT: below the least that servers are set to take, but for a single row that is larger. */
const statementChars = 512 * 1024;

/** For servers that take no files. */
async function fillByInsert(
  { session, csv }: Loading,
  { table, columns, forms, number }: Filled,
): Promise<Pick<Answer<object>, "count" | "warnings">> {
  const names = number === undefined ? columns : [number, ...columns];
  const start = `insert into ${table} (${names.join(", ")}) values `;
  const sum = { count: 0, warnings: 0 };
  let rows: string[] = [];
  let chars = 0;
  const flush = async (): Promise<void> => {
    if (rows.length === 0) return;
    const { count, warnings } = await session.ask(purpose, start + rows.join(", "));
    sum.count += count;
    sum.warnings += warnings;
    rows = [];
    chars = 0;
  };
  let row = 0;
  let values: string[] = [];
  for (const { from, to, last } of fieldsOf(csv.bytes, csv.delimiter.charCodeAt(0))) {
    const text = fieldLiteral(csv.bytes.subarray(from, to));
    values.push(forms[values.length]?.(text) ?? text);
    if (!last) continue;
    const line = number === undefined ? values.join(", ") : `${row}, ${values.join(", ")}`;
    if (chars + line.length > statementChars) await flush();
    rows.push(`(${line})`);
    chars += line.length;
    row += 1;
    values = [];
  }
  await flush();
  return sum;
}

function fieldLiteral(bytes: Uint8Array): string {
  if (bytes.length === 0) return "null";
  const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString("utf8");
  return literal(text.startsWith('"') ? text.slice(1, -1).replaceAll('""', '"') : text);
}

/** Whether the server lets clients send files. */
export async function takesFiles(session: Session): Promise<boolean> {
  const { rows } = await session.ask<{ on: bigint | number }>(
    purpose,
    `select @@global.local_infile as ${quoteName("on")}`,
  );
  return Number(rows[0]?.on) === 1;
}
