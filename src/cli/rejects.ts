import { type Command, Option } from "commander";
import { addMemoryFlag, addToFlag, list, wholeNumber } from "./flags.ts";
import { limit } from "../core/limit.ts";
import { reasonCodes } from "../core/reject.ts";
import { exportRejects } from "./rejects-export.ts";
import { listRejects } from "./rejects-list.ts";
import { replay } from "./rejects-replay.ts";
import { showReject } from "./rejects-show.ts";

const examples = `
Examples:
  $ millrace rejects list --to duckdb:hr.db                           what was refused, by reason, and the newest
  $ millrace rejects show 17 --to duckdb:hr.db                        one of them, with all that is known
  $ millrace rejects replay 17 --with fixed.txt --to duckdb:hr.db     a corrected record, sent again
  $ millrace rejects replay --code missing --to duckdb:hr.db --contract hired.json
                                                                      all of a reason, after the contract was changed
  $ millrace rejects export --to duckdb:hr.db --out rejects.csv       for people who mend them in a spreadsheet

A replayed record goes through today's contract and steps, once: its row and its new state commit together. What fails
again stays open with its new reasons.`;

const replayExamples = `
Examples:
  $ millrace rejects replay 17 18 --to duckdb:hr.db                   these two, as they were
  $ millrace rejects replay 17 --with fixed.txt --to duckdb:hr.db     fixed.txt is the corrected record
  $ millrace rejects replay --with fixed.ndjson --to duckdb:hr.db     a line for each: {"id":17,"record":"17,Ada,3"}
  $ millrace rejects replay --all --to duckdb:hr.db                   everything that is open, after a fix elsewhere

A load's contract is the one kept with its rows, unless --contract names another; a project's pipeline is taken from
the project.`;

export function define(command: Command): void {
  command.description("List, show, replay and export refused records.").addHelpText("after", examples);
  defineList(command.command("list"));
  defineShow(command.command("show"));
  defineReplay(command.command("replay"));
  defineExport(command.command("export"));
}

function placed(command: Command): Command {
  return addToFlag(command)
    .option("--state-schema <name>", "schema of the tables that Millrace keeps")
    .option("--verbose", "with an error, say where it happened");
}

function defineList(command: Command): void {
  placed(command)
    .description("what was refused: grouped by reason, then the newest")
    .addOption(new Option("--code <code>", "those with a reason of this code").choices(reasonCodes))
    .option("--pipeline <name>", "of this pipeline only; a load's is load:TABLE")
    .option("--rows <n>", "rejects to show", wholeNumber(1, 1_000_000), limit.rowsShown)
    .option("--all", "those that were replayed too")
    .option("--json", "one JSON object a line: groups, then all rejects")
    .action(listRejects);
}

function defineShow(command: Command): void {
  placed(command)
    .description("everything about one reject, the failing value marked")
    .argument("<id>", "its number, as list shows it")
    .option("--json", "one JSON object")
    .action(showReject);
}

function defineReplay(command: Command): void {
  placed(command)
    .description("send rejects again, as they were or corrected")
    .argument("[id...]", "their numbers, as list shows them")
    .option("--all", "all that are open")
    .option("--code <code>", "those with a reason of this code, such as missing")
    .option("--pipeline <name>", "of this pipeline only; a load's is load:TABLE")
    .option("--with <file>", "corrected records: the record itself for one reject, else NDJSON lines of id and record")
    .option("--contract <file>", "check against this contract instead of the kept one")
    .option("--key <columns>", "key columns, over those of the contract", list)
    .option("--mode <mode>", "append or merge; merge when the contract has a key")
    .option("--registry <url>", "the schema registry of records of Avro, where the pipeline does not name it")
    .option("--config <file>", "the project's configuration")
    .option("--json", "one JSON object a line on standard output");
  addMemoryFlag(command).addHelpText("after", replayExamples).action(replay);
}

function defineExport(command: Command): void {
  placed(command)
    .description("write open rejects to a CSV file")
    .requiredOption("--out <file>", "the file; one that is there is not overwritten")
    .option("--pipeline <name>", "of this pipeline only; a load's is load:TABLE")
    .option("--all", "those that were replayed too")
    .option("--raw", "values as they are, also those that a spreadsheet would take for a formula")
    .action(exportRejects);
}
