import type { Readable } from "node:stream";
import type { FastifyRequest } from "fastify";
import { limit } from "../core/limit.ts";
import { LineCount } from "../formats/line-count.ts";
import { Spool } from "../runtime/spool.ts";
import { boundedParts } from "./bounded-parts.ts";
import { tooLarge } from "./errors.ts";
import { addField, type Fields, fieldsOf, postedFields } from "./fields.ts";
import { fieldProblem, Problem, problem } from "./problem.ts";

/** A file of a form, received whole. */
export interface ReceivedFile {
  /** As the caller calls it: for messages and records, never for a path. */
  readonly name: string;
  /** Its content type, as sent. */
  readonly type: string;
  readonly spool: Spool;
  /** Lines that are not empty. */
  readonly lines: number;
}

/** A form received whole: fields in any order before and behind the files. */
export interface ReceivedForm extends AsyncDisposable {
  /** Of the query string, then of the body. */
  readonly fields: Fields;
  /** Of the body alone: what is secret does not belong into an address. */
  readonly posted: Fields;
  /** Of the field `file`; the first two, so that a doubled one is noticed. */
  readonly files: readonly ReceivedFile[];
}

/**
 * Receives a multipart form bit by bit. The caller disposes of it. Throws 413 as soon as the body or a field is larger
 * than allowed, 400 when the body ends too early. Any other body is a form without file.
 */
export async function receiveForm(request: FastifyRequest, folder: string, bodyBytes: number): Promise<ReceivedForm> {
  if (!request.isMultipart()) {
    const posted = postedFields(request);
    return { fields: fieldsOf(request), posted, files: [], [Symbol.asyncDispose]: async () => undefined };
  }
  const fields = new Map(fieldsOf(request));
  const posted = new Map<string, string>();
  const files: ReceivedFile[] = [];
  const dispose = async (): Promise<void> => {
    for (const { spool } of files) await spool.dispose();
  };
  try {
    const limits = { fileSize: bodyBytes, fieldSize: limit.formFieldBytes, files: 3, fields: 64, parts: 80 };
    for await (const part of boundedParts(request, limits, bodyBytes)) {
      if (part.type === "field") {
        if (part.valueTruncated) throw tooLarge();
        addField(fields, part.fieldname, String(part.value));
        addField(posted, part.fieldname, String(part.value));
      } else if (part.fieldname === "file" && hasName(part.filename) && files.length < 2)
        files.push(await receiveFile(part, folder));
      else part.file.resume();
    }
  } catch (error) {
    await dispose();
    throw asCutOff(error);
  }
  return { fields, posted, files, [Symbol.asyncDispose]: dispose };
}

/** The parser gives none for an empty one. */
function hasName(name: string | undefined): boolean {
  return name !== undefined && name !== "";
}

interface FilePart {
  readonly filename: string;
  readonly mimetype: string;
  readonly file: Readable & { readonly truncated: boolean };
}

async function receiveFile(part: FilePart, folder: string): Promise<ReceivedFile> {
  if (/\p{Cc}/u.test(part.filename) || part.filename.length > fileNameChars) throw badName();
  const spool = new Spool(folder);
  const count = new LineCount();
  // The parser would wait for the end of the part, which may never come.
  part.file.once("limit", () => part.file.destroy(tooLarge()));
  if (part.file.truncated) part.file.destroy(tooLarge());
  try {
    for await (const bytes of part.file as AsyncIterable<Buffer>) {
      count.look(bytes);
      await spool.write(bytes);
    }
    if (part.file.truncated) throw tooLarge();
    return { name: part.filename, type: part.mimetype, spool, lines: count.lines };
  } catch (error) {
    await spool.dispose();
    throw error;
  }
}

const fileNameChars = 255;

function badName(): Problem {
  return fieldProblem({ loc: ["body", "file"], msg: "the file's name cannot be used", type: "value_error" });
}

/** The parser's own errors say no more than that the form is not one. */
function asCutOff(error: unknown): unknown {
  if (error instanceof Problem) return error;
  const { message, code, statusCode } = error as { message?: string; code?: string; statusCode?: number };
  if (statusCode === 413) return tooLarge();
  const isForm =
    /^(Unexpected end of|Malformed|Part terminated|Missing Content-Type|Multipart: |premature|aborted)/i.test(
      message ?? "",
    );
  if (!isForm && code !== "ERR_STREAM_PREMATURE_CLOSE" && code !== "ECONNRESET") return error;
  return problem(
    400,
    "REQUEST_INVALID",
    "The form ends too early or is no multipart form",
    "Send the form again, whole.",
  );
}
