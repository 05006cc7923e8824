import { MillraceError } from "../core/error.ts";
import type { SinkOptions } from "../core/pipeline.ts";
import { parsePlace } from "../core/place.ts";
import type { AdapterContext, SinkFactory } from "../ports/adapter.ts";
import type { Sink } from "../ports/sink.ts";

/**
 * The scheme table: the one place outside an adapter's folder that names it. Adapters are loaded when their scheme is
 * first used, so that a file into DuckDB does not pay for the PostgreSQL client.
 */
const sinks: Readonly<Record<string, () => Promise<SinkFactory>>> = {
  duckdb: async () => (await import("../adapters/duckdb/index.ts")).duckdbSink,
  postgres: async () => (await import("../adapters/postgres/index.ts")).postgresSink,
  postgresql: async () => (await import("../adapters/postgres/index.ts")).postgresSink,
  file: async () => (await import("../adapters/file/index.ts")).fileSink,
};

export const sinkSchemes: readonly string[] = Object.keys(sinks);

/** The sink at `url`, not yet connected. */
export async function openSink(url: string, options: SinkOptions, context: AdapterContext): Promise<Sink> {
  const place = parsePlace(url);
  const load = sinks[place.scheme];
  if (load === undefined) {
    throw new MillraceError("SCHEME_UNKNOWN", `Rows cannot go to ${place.scheme}: (${place.shown})`, {
      remedy: `Sinks are ${sinkSchemes.map((scheme) => `${scheme}:`).join(", ")}.`,
    });
  }
  const factory = await load();
  return factory(place, options, context);
}
