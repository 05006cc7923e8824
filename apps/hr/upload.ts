import {
  type Contract,
  errorAnswers,
  type FastifyInstance,
  fieldProblem,
  type IntakeMode,
  missingField,
  Problem,
  type Receipt,
  type ReceivedFile,
  receiveAs,
  receivedValues,
  type Reject,
  type Warehouse,
} from "../../src/index.ts";
import { seconds } from "./duration.ts";
import { tableOfFile } from "./tables.ts";

const linesMax = 1000;

const form = {
  type: "object",
  properties: {
    file: {
      type: "string",
      format: "binary",
      description: "CSV without header, 1 to 1000 lines, named after its table",
    },
    username: { type: "string", description: "Unless HTTP Basic is used" },
    password: { type: "string", format: "password" },
  },
  required: ["file"],
};

const answer = {
  type: "object",
  description: "All that is counted is durable",
  properties: {
    file: { type: "string" },
    type: { type: "string", description: "Content type of the file, as sent" },
    columns: { type: "integer" },
    rows: { type: "integer", description: "Records read" },
    result: { type: "string" },
    nrows_inserted: { type: "integer", description: "Rows that are new" },
    rows_failed: {
      type: "array",
      description: 'Each failed record, its values as text, "" for a missing one',
      items: { type: "object", additionalProperties: { type: "string" } },
    },
    nrows_failed: { type: "integer" },
    "duration(s)": { type: "number" },
    nrows_merged: { type: "integer", description: "Rows whose id was there" },
    errors: {
      type: "array",
      description: "Every reason of every failed record",
      items: {
        type: "object",
        properties: {
          line: { type: "integer" },
          column: { type: ["string", "null"] },
          value: { type: ["string", "null"] },
          code: { type: "string" },
          reason: { type: "string" },
        },
      },
    },
  },
  required: ["file", "type", "columns", "rows", "result", "nrows_inserted", "duration(s)"],
};

export interface UploadParts {
  readonly warehouse: Warehouse;
  /** Told when rows of a table were committed. */
  readonly changed: (table: string) => void;
}

/** `POST /upload`: a file of up to 1000 lines into the table that its name starts with. */
export function addUpload(app: FastifyInstance, { warehouse, changed }: UploadParts): void {
  const schema = {
    tags: ["hr"],
    summary: "Upload a CSV file of up to 1000 lines",
    description: "Rows are merged by id, or with `mode=append` refused where the id is there. Needs the role writer.",
    security: [{ basic: [] }, {}],
    querystring: {
      type: "object",
      properties: { mode: { type: "string", enum: ["merge", "append"], default: "merge" } },
    },
    response: {
      200: { description: "Done", content: { "application/json": { schema: answer } } },
      ...errorAnswers(400, 401, 403, 405, 413, 422, 429, 503),
    },
  };
  app.post("/upload", { schema, attachValidation: true, config: { form } }, async (request) => {
    const started = performance.now();
    await using received = await receiveAs(app, request, "writer");
    const file = onlyFile(received.files);
    const contract = tableFor(file);
    const { mode } = request.query as { readonly mode: IntakeMode };
    const intake = await warehouse.intake(contract.table, mode);
    const { name, spool } = file;
    const receipt = await intake.take({ source: name, sizeBytes: spool.sizeBytes, bytes: () => spool.bytes() });
    changed(contract.table);
    return answerOf(file, contract, receipt, seconds(started));
  });
}

function onlyFile(files: readonly ReceivedFile[]): ReceivedFile {
  const [file, second] = files;
  if (file === undefined) throw fieldProblem(missingField("body", "file"));
  if (second === undefined) return file;
  throw fieldProblem({ loc: ["body", "file"], msg: "one file is expected", type: "value_error.list" });
}

function tableFor({ name, lines }: ReceivedFile): Contract {
  const contract = tableOfFile(name);
  if (contract === undefined) throw new Problem(405, { error: "The data table is not availabe for upload" });
  if (lines >= 1 && lines <= linesMax) return contract;
  throw new Problem(405, { error: `The number of lines should be between 1 and ${linesMax}` });
}

function answerOf(file: ReceivedFile, contract: Contract, receipt: Receipt, duration: number): object {
  const { read, loaded, merged, rejected, rejects } = receipt;
  const columns = Object.keys(contract.columns);
  const uploaded = loaded + merged;
  const failed =
    rejected === 0 ? {} : { rows_failed: rejects.map((one) => valuesOf(one, columns)), nrows_failed: rejected };
  return {
    file: file.name,
    type: file.type,
    columns: columns.length,
    rows: read,
    result:
      rejected === 0
        ? "All the records have been uploaded"
        : `Errors founded on records failed, successfully uploaded ${uploaded} registers`,
    nrows_inserted: loaded,
    ...failed,
    "duration(s)": duration,
    ...(merged === 0 ? {} : { nrows_merged: merged }),
    ...(rejected === 0 ? {} : { errors: rejects.flatMap(reasonsOf) }),
  };
}

/** The record's values by column; those beyond the last column as `column6`, `column7`, … */
function valuesOf({ bytes }: Reject, columns: readonly string[]): Record<string, string> {
  const values = receivedValues(bytes);
  const count = Math.max(values.length, columns.length);
  const names = Array.from({ length: count }, (_, index) => columns[index] ?? `column${index + 1}`);
  return Object.fromEntries(names.map((name, index) => [name, values[index] ?? ""]));
}

function reasonsOf({ line, reasons }: Reject): object[] {
  return reasons.map(({ code, column, value, message }) => ({
    line: line ?? null,
    column: column ?? null,
    value: value ?? (code === "missing" ? "" : null),
    code,
    reason: message,
  }));
}
