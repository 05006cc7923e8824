/** The public API of Millrace. */
export { type Column, type ColumnType, type Contract, columnTypes, type RowCheck } from "./core/contract.ts";
export { contractFromJson, contractToJson } from "./core/contract-json.ts";
export { type ErrorCode, type ErrorPlace, errorCodes, MillraceError } from "./core/error.ts";
export { jsonSchemaOf } from "./core/json-schema.ts";
export { type Counts, isBalanced } from "./core/ledger.ts";
export {
  type FormatOptions,
  type Mode,
  type Pipeline,
  type PipelineFlow,
  type PipelineSource,
  type PipelineStart,
  pipeline,
  type SinkOptions,
  type SourceOptions,
} from "./core/pipeline.ts";
export { type Reason, type ReasonCode, type Reject, reasonCodes } from "./core/reject.ts";
export {
  bigint,
  boolean,
  type ColumnBuilder,
  date,
  decimal,
  double,
  integer,
  json,
  type Row,
  type RowOf,
  table,
  type TableOptions,
  text,
  timestamp,
  uuid,
} from "./core/table.ts";
export { type Config, config } from "./runtime/config.ts";
export type { RunEvent, RunSummary } from "./runtime/events.ts";
export { run, type RunSettings } from "./runtime/run.ts";
