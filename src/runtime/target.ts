import { createHash } from "node:crypto";
import { type Contract, keyColumns } from "../core/contract.ts";
import { MillraceError } from "../core/error.ts";
import { definitionOf, type Mode, type Pipeline } from "../core/pipeline.ts";
import { parsePlace } from "../core/place.ts";
import type { Engine } from "../engine/engine.ts";
import type { Sink, Target } from "../ports/sink.ts";
import { holdsRecords, isQueue } from "./schemes.ts";
import { sinkColumnsOf } from "./shape.ts";

export type PipelineWithContract = Pipeline & { readonly contract: Contract };

/** Throws PIPELINE_INVALID when the pipeline has no contract. */
export function requireContract(pipeline: Pipeline): PipelineWithContract {
  const { contract } = pipeline;
  if (contract !== undefined) return { ...pipeline, contract };
  throw new MillraceError("PIPELINE_INVALID", `The pipeline "${pipeline.name}" has no contract`, {
    remedy: "Give it one with .check(table(…)).",
  });
}

/** The mode that a pipeline's options and contract come to. */
export function modeOf({ to, sink, contract }: PipelineWithContract): Mode {
  return sink.mode ?? (holdsRecords(parsePlace(to)) ? "append" : addingMode(contract));
}

/** How rows are added to those that are there. */
export function addingMode(contract: Contract): "merge" | "append" {
  return keyColumns(contract).length > 0 ? "merge" : "append";
}

/** Version of a definition: the first 12 hexadecimal digits of its SHA-256. */
export function versionOf(pipeline: Pipeline): string {
  return createHash("sha256")
    .update(JSON.stringify(definitionOf(pipeline)))
    .digest("hex")
    .slice(0, 12);
}

/** The table that the pipeline writes to, its columns as they stand behind the last step. */
export async function targetOf(pipeline: PipelineWithContract, engine: Engine): Promise<Target> {
  return {
    pipeline: pipeline.name,
    table: tableOf(pipeline),
    columns: await sinkColumnsOf(pipeline.contract, pipeline.steps, engine),
    key: keyColumns(pipeline.contract),
    mode: modeOf(pipeline),
    lineage: pipeline.sink.lineage === true,
    ...(pipeline.contract.serial === undefined ? {} : { serial: pipeline.contract.serial }),
  };
}

/** What the ledger calls the place of the rows: the table, or the log. */
function tableOf({ to, sink, contract }: PipelineWithContract): string {
  const place = parsePlace(to);
  return holdsRecords(place) ? place.shown : (sink.table ?? contract.table);
}

/** Throws when the sink cannot do what the pipeline asks: PIPELINE_INVALID, GUARANTEE_UNMET. */
export function requirePossible({ facts, shown }: Sink, target: Target, pipeline: Pipeline): void {
  if (!facts.modes.includes(target.mode)) {
    const why = pipeline.sink.mode === undefined ? ", as a contract with a key asks for" : "";
    throw new MillraceError("PIPELINE_INVALID", `${shown} cannot ${target.mode} rows${why}`, {
      remedy: `Say ${facts.modes.map((mode) => `--mode ${mode}`).join(" or ")} (mode: in a pipeline), or load into a sink that can ${target.mode}.`,
      at: { table: target.table },
    });
  }
  if (holdsRecords(parsePlace(pipeline.to)) && pipeline.source.whenGone === "skip") {
    throw new MillraceError(
      "PIPELINE_INVALID",
      "Rows that go into a log cannot come from one whose records may be skipped",
      {
        remedy: 'Leave out whenGone: "skip": by the number of a record within its lane, repeats of it are known.',
      },
    );
  }
  if (target.serial !== undefined && !facts.serials) {
    throw new MillraceError("PIPELINE_INVALID", `${shown} cannot fill the column "${target.serial}" by itself`, {
      remedy: "Load into a database, or take serial out of the contract.",
      at: { table: target.table },
    });
  }
  if (target.mode === "merge" && target.key.length === 0) {
    throw new MillraceError("PIPELINE_INVALID", "Rows are merged by key, and the contract has none", {
      remedy: "Mark the key columns in the contract, or name them with --key; or use append.",
      at: { table: target.table },
    });
  }
  const isWhole = pipeline.source.atomic === true || target.mode === "replace";
  if (isWhole && isQueue(parsePlace(pipeline.from))) {
    throw new MillraceError("PIPELINE_INVALID", "A queue cannot be read in one transaction, as it has no end", {
      remedy: "Leave out atomic and replace.",
    });
  }
  if (isWhole && !facts.wholeFileUnits) {
    throw new MillraceError("PIPELINE_INVALID", `${shown} cannot take a whole file in one transaction`, {
      remedy: "Leave out --atomic and --mode replace for this sink.",
    });
  }
  if (pipeline.sink.guarantee === "exactly-once" && facts.guarantee !== "exactly once") {
    throw new MillraceError("GUARANTEE_UNMET", `${shown} gives ${facts.guarantee}, and exactly once was asked for`, {
      remedy: facts.how,
    });
  }
}
