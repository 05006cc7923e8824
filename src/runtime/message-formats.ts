import type { Contract } from "../core/contract.ts";
import { MillraceError } from "../core/error.ts";
import type { JsonObject } from "../core/json.ts";
import type { SinkOptions, SourceOptions } from "../core/pipeline.ts";
import { avroMessages } from "../formats/avro/messages.ts";
import { avroRowValues } from "../formats/avro/row-values.ts";
import { jsonMessages } from "../formats/json/messages.ts";
import { jsonRowValues } from "../formats/json/row-values.ts";
import type { AdapterContext } from "../ports/adapter.ts";
import type { MessageFormat, ValueFormat } from "../ports/messages.ts";
import type { SinkColumn } from "../ports/rows.ts";
import { openRegistry } from "./schemes.ts";

/** A format and what ends with it. */
export interface OpenFormat {
  readonly format: MessageFormat;
  close(): Promise<void>;
}

/**
 * How the records of a log are read, as the options of the source say. `contract` is undefined while it is still to be
 * inferred. Throws PIPELINE_INVALID, URL_INVALID.
 */
export async function openMessageFormat(
  { format = "json", registry: url, ignoreExtra = false }: SourceOptions,
  contract: Contract | undefined,
  context: AdapterContext,
): Promise<OpenFormat> {
  if (format === "avro") {
    if (url === undefined) throw mistake("Avro is read with a schema registry, and none is named");
    const registry = await openRegistry(url, context);
    return { format: avroMessages({ registry, contract, ignoreExtra }), close: () => registry.close() };
  }
  if (url !== undefined) throw mistake("a schema registry is named, and the format is not avro");
  if (format !== "json" && format !== "ndjson")
    throw mistake(`records of a log cannot be ${typeof format === "string" ? format : format.name}`);
  return { format: jsonMessages({ ignoreExtra }), close: async () => undefined };
}

/**
 * The source options by which rejects of a log of Avro are read again: those of today's pipeline, else what was kept with
 * them, which lacks the password of the registry. Throws CONFIG_INVALID when no registry can be asked.
 */
export function keptAvro(kept: JsonObject, { registry: given, ignoreExtra }: SourceOptions): SourceOptions {
  const shown = kept["registry"];
  const registry = given ?? (typeof shown === "string" && !shown.includes("***") ? shown : undefined);
  if (registry !== undefined) {
    return { format: "avro", registry, ignoreExtra: ignoreExtra ?? kept["ignoreExtra"] === true };
  }
  throw new MillraceError(
    "CONFIG_INVALID",
    `Records of Avro cannot be read without their registry ${JSON.stringify(shown)}`,
    {
      remedy: "Name it with --registry URL, its password included.",
    },
  );
}

/** How rows become the values of a log, and what ends with it. */
export interface OpenValues {
  readonly shownValue: string;
  readonly values: (table: string, columns: readonly SinkColumn[]) => ValueFormat;
  close(): Promise<void>;
}

/** How rows become the values of a log of this name, as the options of the sink say. Throws PIPELINE_INVALID, URL_INVALID. */
export async function openValueFormat(
  { format = "json", registry: url }: SinkOptions,
  topic: string,
  context: AdapterContext,
): Promise<OpenValues> {
  if (format === "json") {
    if (url !== undefined) throw mistake("a schema registry is named, and the format is not avro");
    return {
      shownValue: "one JSON object",
      values: (_, columns) => jsonRowValues(columns),
      close: async () => undefined,
    };
  }
  if (url === undefined) throw mistake("Avro is written with a schema registry, and none is named");
  const registry = await openRegistry(url, context);
  return {
    shownValue: `one Avro record (schema ${topic}-value at ${registry.shown})`,
    values: (table, columns) => avroRowValues({ registry, topic, table, columns }),
    close: () => registry.close(),
  };
}

/** Files and tables have no registry: it would be passed over without a word. */
export function refuseLogOptions(shown: string, { registry }: SourceOptions | SinkOptions): void {
  if (registry !== undefined) throw mistake(`a schema registry is named, and ${shown} is no log`);
}

function mistake(what: string): MillraceError {
  return new MillraceError("PIPELINE_INVALID", `The pipeline has a mistake: ${what}`, {
    remedy: 'Logs hold json, or avro with its registry: { format: "avro", registry: "http://host:8081" }.',
  });
}
