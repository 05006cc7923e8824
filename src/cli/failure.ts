import { formatErrorPlace, type MillraceError, toMillraceError } from "../core/error.ts";
import { stderr, stdout } from "./screen.ts";
import { safeText } from "./shown.ts";

export interface FailureForm {
  /** One JSON object on standard output instead of text on standard error. */
  readonly json: boolean;
  /** Adds where in the code it happened. */
  readonly verbose: boolean;
}

/** Says what went wrong, where, and what to do. Returns the exit code. */
export function reportFailure(error: unknown, form: FailureForm): number {
  const failure = toMillraceError(error);
  if (form.json) stdout.line(failureJson(failure));
  else stderr.write(failureText(failure));
  if (form.verbose) stderr.write(stackText(failure));
  return failure.exitCode;
}

export function failureJson(failure: MillraceError): string {
  const { code, message, remedy, at } = failure;
  return JSON.stringify({ event: "error", code, message, remedy, at });
}

function failureText(failure: MillraceError): string {
  const place = formatErrorPlace(failure.at);
  const lines = [
    `${stderr.style("red", `error ${failure.code}:`)} ${indented(failure.message)}`,
    ...(place === "" ? [] : [`  at ${safeText(place)}`]),
    `  → ${indented(failure.remedy)}`,
  ];
  return `${lines.join("\n")}\n`;
}

/** Keeps the lines of a text that has several, such as a database's answer; all else that controls is shown. */
function indented(text: string): string {
  return text.trimEnd().split(/\r?\n/).map(safeText).join("\n    ");
}

/** Frames only: the messages of causes may carry what the code in front of them took out. */
function stackText(failure: MillraceError): string {
  const chain: Error[] = [];
  for (let next: unknown = failure; next instanceof Error && chain.length < 10; next = next.cause) chain.push(next);
  return chain.map((error) => `  ${error.name}\n${framesOf(error)}\n`).join("");
}

function framesOf(error: Error): string {
  const lines = (error.stack ?? "").split("\n");
  return lines.filter((line) => /^\s+at /.test(line)).join("\n");
}
