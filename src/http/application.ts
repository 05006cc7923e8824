import type { FastifyInstance } from "fastify";
import type { Contract } from "../core/contract.ts";
import { MillraceError } from "../core/error.ts";
import type { Pipeline } from "../core/pipeline.ts";
import type { SettingRules, SettingsOf } from "../core/setting.ts";
import type { Drop } from "../ports/drop.ts";
import type { Appendable, Log } from "../ports/log.ts";
import type { Notifier } from "../ports/notifier.ts";
import type { Replicas } from "../ports/replicas.ts";
import type { Store } from "../ports/store.ts";
import type { Backups } from "../runtime/backup.ts";
import type { FileRelation, FileRelationOptions } from "../runtime/file-relation.ts";
import type { Insights } from "../runtime/insights.ts";
import type { BatchWatch } from "../runtime/lane-services.ts";
import type { TicketRepair, Tickets, TicketsParts } from "../runtime/tickets.ts";
import type { Warehouse } from "../runtime/warehouse.ts";

/** What an application is given when the service starts. All that it opens here is closed by the service. */
export interface ApplicationContext<Rules extends SettingRules = SettingRules> {
  readonly settings: SettingsOf<Rules>;
  /** Opens a place of tables: they stand, and take what is handed over, when it resolves. */
  warehouse(url: string, contracts: readonly Contract[]): Promise<Warehouse>;
  /** Backups in a folder or a bucket. */
  backups(place: string): Promise<Backups>;
  /** The insights of a folder over a warehouse, each tried once. */
  insights(folder: URL, warehouse: Warehouse): Promise<Insights>;
  /** A log, opened: created where it is missing. */
  log(url: string): Promise<Log>;
  /** A log or a queue that records are put into, opened: created where it is missing. */
  appendable(url: string): Promise<Appendable>;
  /** A store, opened: created where it is missing. */
  store(url: string): Promise<Store>;
  /** Replicas, opened: created where they are missing. */
  replicas(url: string): Promise<Replicas>;
  /** A folder into which others put files, opened: created where it is missing. */
  drop(url: string): Promise<Drop>;
  /** Where messages go: mail, a folder, a webhook. */
  notifier(url: string): Promise<Notifier>;
  /** Tickets of a drop, by which files are announced; `store` is what all who share the folder share. */
  tickets(parts: Omit<TicketsParts, "context">, repair: TicketRepair): Tickets;
  /** Does `work` with the records of a file as a relation of the engine; one file at a time. */
  relation<Result>(
    url: string,
    options: Omit<FileRelationOptions, "folder">,
    work: (relation: FileRelation) => Promise<Result>,
  ): Promise<Result>;
  /** A folder for temporary files of this process. */
  readonly scratch: string;
  /** Says something to those who watch the service. */
  notice(text: string): void;
  /** Milliseconds since 1970. */
  now(): number;
  /** Aborts when the service is about to end: answers without end are to end then. */
  readonly stopping: AbortSignal;
  /** Does `work` whenever the cron pattern (UTC) says so, never twice at once. What fails is told in the log. */
  schedule(what: string, pattern: string, work: () => Promise<void>): void;
}

export interface OpenApplication {
  /** Adds the application's routes. */
  routes(app: FastifyInstance): void;
  /** Followed for as long as the service runs. */
  readonly pipelines?: readonly (Pipeline | WatchedPipeline)[];
  /** What is done over and over. */
  readonly cycle?: Cycle;
  /** Ends what the application does by itself; called when no request is under way any more. */
  close?(): Promise<void>;
}

/** Work in turns: by a service that wants it, or by `millrace run NAME`. */
export interface Cycle {
  /** Whether a service does it by itself. */
  readonly isWanted: boolean;
  /** One turn; resolves with whether there was anything to do. */
  turn(watch: CycleWatch): Promise<boolean>;
}

/** Who watches a turn. */
export interface CycleWatch {
  /** So many rows are to be done. */
  begun(what: string, rows: number): void;
  /** So many more of them are. */
  done(rows: number): void;
  say(line: string): void;
  /** What came of it. */
  summary(lines: readonly string[]): void;
}

/** A pipeline, and who looks at its batches beside the sink. */
export interface WatchedPipeline {
  readonly pipeline: Pipeline;
  readonly watch: BatchWatch;
}

/** An application: settings with embedded defaults, contracts, routes and pipelines, on the public API alone. */
export interface Application<Rules extends SettingRules = SettingRules> {
  /** Its group of settings: `hr` in `--set hr.to=URL`. */
  readonly name: string;
  /** One sentence for people. */
  readonly about: string;
  readonly settings: Rules;
  /** By table; `millrace load --contract hr.jobs` finds them here. */
  readonly contracts: readonly Contract[];
  open(context: ApplicationContext<Rules>): Promise<OpenApplication>;
}

/** Defines an application. Throws CONFIG_INVALID for a name that cannot be one. */
export function application<const Rules extends SettingRules>(definition: Application<Rules>): Application {
  if (/^[a-z][a-z0-9]{0,29}$/.test(definition.name) && !taken.has(definition.name)) {
    return definition;
  }
  throw new MillraceError("CONFIG_INVALID", `${JSON.stringify(definition.name)} cannot be the name of an application`, {
    remedy: "Use up to 30 small letters and digits, and none of the words that the configuration has.",
  });
}

const taken = new Set(["http", "users", "pipelines", "memory"]);
