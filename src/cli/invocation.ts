import { MillraceError } from "../core/error.ts";
import { isSecretOption, parsePlace } from "../core/place.ts";

/** How the command line was called, so that what it proposes can be copied: from a clone, through npx, or installed. */
function programName(): string {
  if (process.env["npm_lifecycle_event"] === "millrace") return "npm -s run millrace --";
  return process.env["npm_command"] === "exec" ? "npx millrace" : "millrace";
}

/** A command to copy; secrets in URLs are left out. */
export function commandLine(...args: readonly string[]): string {
  return [programName(), ...args.map(argumentText)].join(" ");
}

/** The command that runs now, to run again. */
export function sameCommand(): string {
  return commandLine(...process.argv.slice(2));
}

function argumentText(arg: string): string {
  const text = withoutSecret(arg);
  return /^[\w@%+=:,./-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`;
}

/** The URL as given where it carries no secret; else the one that is fit to be shown. */
export function withoutSecret(arg: string): string {
  if (!/^[a-z][a-z0-9+.-]+:/i.test(arg)) return arg;
  try {
    const place = parsePlace(arg);
    const secret = place.shown.includes("***") || [...place.options.keys()].some(isSecretOption);
    return secret ? place.shown : arg;
  } catch (error) {
    if (!(error instanceof MillraceError)) throw error;
    return "…";
  }
}
