import { createInterface } from "node:readline";
import { Writable } from "node:stream";
import { MillraceError } from "../core/error.ts";
import { interrupted } from "../runtime/interruption.ts";
import { stderr } from "./screen.ts";

/** More than the longest password takes in UTF-8. */
const lineBytesMax = 4096;

/** Asks twice on a terminal, showing nothing of what is typed; else takes the first line of standard input. */
export function readPassword(name: string): Promise<string> {
  return process.stdin.isTTY ? askTwice(name) : firstLine(process.stdin);
}

async function askTwice(name: string): Promise<string> {
  // Readline edits the line as usual, on a screen that nobody sees.
  const unseen = new Writable({ write: (_chunk, _encoding, done) => done() });
  const typing = createInterface({ input: process.stdin, output: unseen, terminal: true, historySize: 0 });
  typing.on("SIGINT", () => typing.close());
  const lines = typing[Symbol.asyncIterator]();
  const ask = async (prompt: string): Promise<string> => {
    stderr.write(prompt);
    const next = await lines.next();
    stderr.line();
    if (next.done === true) throw interrupted();
    return next.value;
  };
  try {
    const password = await ask(`Password of ${name}: `);
    if ((await ask("Once more: ")) === password) return password;
    throw unusable("The two passwords are not the same", "Run the command again.");
  } finally {
    typing.close();
  }
}

async function firstLine(input: AsyncIterable<unknown>): Promise<string> {
  const pieces: Buffer[] = [];
  let sizeBytes = 0;
  for await (const piece of input) {
    if (!Buffer.isBuffer(piece)) continue;
    pieces.push(piece);
    sizeBytes += piece.length;
    if (piece.includes("\n") || sizeBytes > lineBytesMax) break;
  }
  const [line = ""] = textOf(Buffer.concat(pieces)).split("\n");
  const password = line.replace(/\r$/, "");
  if (password !== "") return password;
  throw unusable("Standard input holds no password", "Type it on a terminal, or give it as the first line.");
}

function textOf(bytes: Buffer): string {
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch (cause) {
    throw unusable("The password on standard input is not UTF-8", "Give it in UTF-8.", cause);
  }
}

function unusable(what: string, remedy: string, cause?: unknown): MillraceError {
  return new MillraceError("USER_INVALID", what, { remedy, cause });
}
