import { createRequire } from "node:module";
import { MillraceError } from "../../../core/error.ts";
import { isJsonObject, type JsonObject } from "../../../core/json.ts";
import type { Location } from "../location.ts";
import { cloneFormat } from "./frames.ts";
import { protocolVersion } from "./protocol.ts";

// The first frame of each side is JSON, which every version of Millrace and Node can read: it tells whether the two
// understand each other at all. What is said here may be added to, never changed.

/** What the host says when a guest has come. */
export interface Greeting {
  readonly millrace: string;
  readonly protocol: number;
  /** See `cloneFormat`. */
  readonly values: number;
  readonly pid: number;
  /** It has as many guests as it may have. */
  readonly isFull: boolean;
}

/** What a guest answers: that it may come in, and which schemas it works with. */
export interface Hello extends Pick<Location, "schema" | "stateSchema" | "shown"> {
  readonly millrace: string;
  readonly protocol: number;
  readonly values: number;
  /** From the note beside the file. */
  readonly key: string;
}

/** Versions that two processes must have in common to work together. */
export function ownVersions(): Pick<Greeting, "millrace" | "protocol" | "values"> {
  // By the package's name: compiled, this file lies deeper in it.
  const { version } = createRequire(import.meta.url)("millrace/package.json") as { readonly version: string };
  return { millrace: version, protocol: protocolVersion, values: cloneFormat };
}

export function contentOf(said: Greeting | Hello): Buffer {
  return Buffer.from(JSON.stringify(said));
}

/** The greeting in a frame; undefined when it is none. */
export function greetingIn(content: Buffer): Greeting | undefined {
  const said = jsonIn(content);
  const { millrace, protocol, values, pid, isFull } = said;
  if (typeof millrace !== "string" || typeof protocol !== "number" || typeof values !== "number") return undefined;
  if (typeof pid !== "number" || typeof isFull !== "boolean") return undefined;
  return { millrace, protocol, values, pid, isFull };
}

/** The hello in a frame; undefined when it is none. */
export function helloIn(content: Buffer): Hello | undefined {
  const said = jsonIn(content);
  const { millrace, protocol, values, key, schema, stateSchema, shown } = said;
  if (typeof millrace !== "string" || typeof protocol !== "number" || typeof values !== "number") return undefined;
  if (typeof key !== "string" || typeof schema !== "string") return undefined;
  if (typeof stateSchema !== "string" || typeof shown !== "string") return undefined;
  return { millrace, protocol, values, key, schema, stateSchema, shown };
}

function jsonIn(content: Buffer): JsonObject {
  try {
    const said: unknown = JSON.parse(content.toString("utf8"));
    return isJsonObject(said) ? said : {};
  } catch {
    return {}; // not JSON: neither a greeting nor a hello
  }
}

type Versions = ReturnType<typeof ownVersions>;

export function isSameVersion(a: Versions, b: Versions): boolean {
  return a.millrace === b.millrace && a.protocol === b.protocol && a.values === b.values;
}

/** The error of a guest that cannot work through this host; undefined when it can. */
export function objectionTo(greeting: Greeting, own: Versions, shown: string): MillraceError | undefined {
  const { pid } = greeting;
  const held = `${shown} is held by a service (process ${pid})`;
  if (!isSameVersion(greeting, own)) {
    return new MillraceError("SINK_BUSY", `${held} ${difference(greeting, own)}`, {
      remedy: "Let both be of one version: upgrade the older one and restart the service.",
    });
  }
  if (greeting.isFull) {
    return new MillraceError("SINK_BUSY", `${held} through which too many others work already`, {
      remedy: "Try again when one of them has ended.",
    });
  }
  return undefined;
}

function difference(greeting: Greeting, own: Versions): string {
  const { millrace } = own;
  if (greeting.millrace !== millrace) return `of Millrace ${greeting.millrace}, and this is Millrace ${millrace}`;
  if (greeting.protocol !== own.protocol) return `of another build of Millrace ${millrace}`;
  return "under another version of Node.js";
}
