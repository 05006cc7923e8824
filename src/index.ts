/** The public API of Millrace. */
export { type Column, type ColumnType, type Contract, columnTypes, type RowCheck } from "./core/contract.ts";
export { contractFromJson, contractToJson } from "./core/contract-json.ts";
export { type ErrorCode, type ErrorPlace, errorCodes, MillraceError } from "./core/error.ts";
export { jsonSchemaOf } from "./core/json-schema.ts";
export { addCounts, type Counts, isBalanced, noCounts } from "./core/ledger.ts";
export { type LineFormat, lineFormat, type LineRecord } from "./core/line-format.ts";
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
  type Step,
  type TransformStep,
  type ViaOptions,
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
export type { FastifyInstance, FastifyReply, FastifyRequest } from "fastify";
export {
  type Setting,
  setting,
  type SettingRules,
  type SettingsOf,
  type SettingValue,
} from "./core/setting.ts";
export { receivedValues } from "./formats/csv/received.ts";
export type { AppServices } from "./http/app.ts";
export {
  type Application,
  type ApplicationContext,
  application,
  type Cycle,
  type CycleWatch,
  type OpenApplication,
} from "./http/application.ts";
export { type Fields, fieldsOf } from "./http/fields.ts";
export { type ReceivedFile, type ReceivedForm, receiveForm } from "./http/form.ts";
export { addInsightRoutes } from "./http/insight-routes.ts";
export { addRowRoutes, addTableRoutes, type RowRoutes, type TableRouteParts } from "./http/rows/routes.ts";
export type { ServedTable } from "./http/rows/table.ts";
export { rowJson, type RowJson } from "./http/rows/text.ts";
export { login, receiveAs } from "./http/login.ts";
export { errorAnswers } from "./http/openapi.ts";
export { type FieldFault, fieldProblem, missingField, Problem, problem } from "./http/problem.ts";
export { isMailAddress, isOnMailList } from "./core/mail-address.ts";
export { isReplicaName } from "./core/replica-name.ts";
export { type Ticket, type TicketState, ticketTime } from "./core/ticket.ts";
export type { Drop, DropFile } from "./ports/drop.ts";
export type { EngineConnection, EngineRow } from "./ports/engine.ts";
export type { Message, Notifier, Picture } from "./ports/notifier.ts";
export type { Replica, ReplicaContent, ReplicaEntry, Replicas } from "./ports/replicas.ts";
export type { Store, StoreEntry } from "./ports/store.ts";
export type { FileRelation, RelationColumn } from "./runtime/file-relation.ts";
export {
  constantColumns,
  duplicatedColumns,
  missingColumns,
  type ColumnProfile,
  type Profile,
} from "./transforms/profile/profile.ts";
export type { TicketLook, TicketRepair, Tickets, TicketTurn } from "./runtime/tickets.ts";
export type { Appendable, KeptRecord, Log, LogLane, LogRecord } from "./ports/log.ts";
export type { Change } from "./ports/transform.ts";
export { type AddressColumns, addresses } from "./transforms/addresses.ts";
export { dedupe } from "./transforms/dedupe.ts";
export { impute, type ImputeStrategy } from "./transforms/impute.ts";
export { narrow } from "./transforms/narrow.ts";
export { profile } from "./transforms/profile/step.ts";
export { repairJson } from "./transforms/repair-json.ts";
export { scale, type ScaleMethod, type Scaling, unscale, unscaleSql } from "./transforms/scale.ts";
export { deadLetterWatch } from "./runtime/dead-letters.ts";
export type { BatchWatch, CommittedBatch } from "./runtime/lane-services.ts";
export type { Backups } from "./runtime/backup.ts";
export { type Config, config } from "./runtime/config.ts";
export type { RunEvent, RunSummary } from "./runtime/events.ts";
export type { Insights } from "./runtime/insights.ts";
export type { Handover, Intake, Receipt } from "./runtime/intake.ts";
export { Spool } from "./runtime/spool.ts";
export { run, type RunSettings } from "./runtime/run.ts";
export type { Role, User, Users } from "./runtime/users.ts";
export type { OpenTable } from "./runtime/open-table.ts";
export type { IntakeMode, Warehouse } from "./runtime/warehouse.ts";
