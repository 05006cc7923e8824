import type { EngineConnection, EngineRow } from "../ports/engine.ts";
import type { TypeEvidence } from "./type-evidence.ts";

/** A column of text in a relation, and what is known of its type so far. */
export interface LookedAtColumn {
  /** SQL of the text. */
  readonly text: string;
  readonly evidence: TypeEvidence;
}

/** Columns that one query looks at: time to plan it grows faster than they do. */
const columnsAtOnce = 4;

/** Records that are looked at first: what they rule out, and that is most, is not looked for in the others. */
const sampleRecords = 1000;

/** Has the evidence take in every value of the columns of `relation`, the name of a table. */
export async function lookAtTypes(
  connection: EngineConnection,
  relation: string,
  columns: readonly LookedAtColumn[],
): Promise<void> {
  for (let first = 0; first < columns.length; first += columnsAtOnce) {
    const some = columns.slice(first, first + columnsAtOnce);
    const sample = `(select * from ${relation} limit ${sampleRecords})`;
    await count(connection, some, sample, (evidence, counts, name) => evidence.rule(counts, name));
    await count(connection, some, relation, (evidence, counts, name) => evidence.take(counts, name));
  }
}

async function count(
  connection: EngineConnection,
  columns: readonly LookedAtColumn[],
  relation: string,
  tell: (evidence: TypeEvidence, counts: EngineRow, name: string) => void,
): Promise<void> {
  const named = columns.map((column, index) => ({ ...column, name: `n${index}` }));
  const kinds = named.flatMap(({ evidence, text, name }) => evidence.kindSql(text, name));
  const counts = named.flatMap(({ evidence, text, name }) => evidence.countsSql(text, name));
  const [row] = await connection.all(
    `select ${counts.join(", ")} from (select ${["*", ...kinds].join(", ")} from ${relation})`,
  );
  for (const { evidence, name } of named) tell(evidence, row ?? {}, name);
}
