/** The table that every contestant loads into, in SQL that PostgreSQL and DuckDB share. */
export const tableName = "hired";

export function tableSql(name: string, check = ""): string {
  const columns = [
    "id integer not null primary key",
    "name text not null",
    "datetime timestamp not null",
    `department_id integer not null${check}`,
    "job_id integer not null",
  ];
  return `create table ${name} (${columns.join(", ")})`;
}

/** The contract of the same table, as `--contract` takes it. */
export const contract = {
  table: tableName,
  columns: {
    id: { type: "integer", key: true },
    name: { type: "text" },
    datetime: { type: "timestamp", format: "%Y-%m-%dT%H:%M:%SZ" },
    department_id: { type: "integer" },
    job_id: { type: "integer" },
  },
};
