import type { AdapterContext } from "./adapter.ts";

/** A schema as a registry keeps it. */
export interface RegisteredSchema {
  /** `AVRO`, `PROTOBUF`, `JSON`, … */
  readonly kind: string;
  readonly text: string;
  /** Texts of the schemas that this one names, those that others need first. */
  readonly references: readonly string[];
}

/** A schema registry: schemas by number. Errors are MillraceErrors naming the registry. */
export interface SchemaRegistry {
  /** The place without secrets. */
  readonly shown: string;
  /**
   * The schemas of these ids; an id that the registry does not know is not among them. A registry that is away is waited
   * for, `limit.registryPatienceMs` long, which is said once; SINK_UNREACHABLE or SINK_BUSY then. SINK_DENIED,
   * SINK_REFUSED at once. Rejects when the signal aborts meanwhile.
   */
  schemas(ids: readonly number[], signal: AbortSignal): Promise<ReadonlyMap<number, RegisteredSchema>>;
  /**
   * The id of an Avro schema under the subject, which is registered where it is new. Waits for nothing: SINK_UNREACHABLE,
   * SINK_BUSY. SCHEMA_REFUSED when it is not compatible with those before it.
   */
  register(subject: string, schema: string): Promise<number>;
  /** Ends what waits. */
  close(): Promise<void>;
}

/** Connects to nothing yet. Throws URL_INVALID. */
export type SchemaRegistryFactory = (
  url: string,
  context: Pick<AdapterContext, "now" | "pause" | "notice">,
) => SchemaRegistry;
