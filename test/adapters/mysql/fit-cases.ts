import type { SinkColumn } from "../../../src/ports/rows.ts";

const column = (type: SinkColumn["type"], more: Partial<SinkColumn> = {}): SinkColumn => ({
  name: "c",
  type,
  ...more,
});
const fits: readonly (readonly [SinkColumn, string])[] = [
  [column("integer"), "tinyint unsigned"],
  [column("integer"), "decimal(12,2)"],
  [column("bigint"), "text"],
  [column("decimal", { precision: 10, scale: 2 }), "decimal(8,2)"],
  [column("text"), "varchar(3) collate utf8mb4_general_ci"],
  [column("text"), "enum('a', 'b')"],
  [column("timestamp"), "timestamp(6) null"],
  [column("date"), "datetime"],
  [column("uuid"), "uuid"],
  [column("json"), "longtext"],
  [column("boolean"), "bit(1)"],
];
const misfits: readonly (readonly [SinkColumn, string])[] = [
  [column("bigint"), "double"],
  [column("double"), "float"],
  [column("double"), "decimal(20,5)"],
  [column("decimal", { precision: 10, scale: 2 }), "decimal(10,1)"],
  [column("decimal", { precision: 10, scale: 2 }), "double"],
  [column("text"), "int"],
  [column("text"), "varbinary(20)"],
  [column("timestamp"), "date"],
  [column("timestamp"), "datetime(3)"],
  [column("boolean"), "int"],
  [column("uuid"), "char(35)"],
  [column("integer"), "int generated always as (1) stored"],
  [column("integer", { nullable: true }), "int auto_increment primary key"],
];
/** Contracts' columns and types of tables that are there. */
export const fitCases = [
  ...fits.map(([wanted, type]) => ({ wanted, type, said: "fits" })),
  ...misfits.map(([wanted, type]) => ({ wanted, type, said: "does not fit" })),
];
