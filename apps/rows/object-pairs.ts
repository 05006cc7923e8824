import { MillraceError, type ReplicaEntry } from "../../src/index.ts";

const pairsAtOnce = 500;

/**
 * The members of one JSON object that arrives bit by bit, in pieces: keys, and values as the text that they are. Nothing but
 * the member at hand is held. Throws FILE_FORMAT for what is no object, FILE_TRUNCATED where it ends too early, and
 * FILE_EXPANDS for a member of more than `charsMax`.
 */
export async function* objectPairs(
  pieces: AsyncIterable<Uint8Array>,
  source: string,
  charsMax: number,
): AsyncGenerator<readonly ReplicaEntry[], void> {
  const decoder = new TextDecoder("utf-8", { fatal: true });
  const scan = new ObjectScan(source);
  for await (const piece of pieces) {
    scan.add(decoded(() => decoder.decode(piece, { stream: true }), source));
    for (let found = scan.take(); found.length > 0; found = scan.take()) yield found;
    if (scan.heldChars > charsMax) throw mistake("FILE_EXPANDS", source, "one row of the answer is too large");
  }
  scan.add(decoded(() => decoder.decode(), source));
  for (let found = scan.take(); found.length > 0; found = scan.take()) yield found;
  if (!scan.isDone) throw mistake("FILE_TRUNCATED", source, "the answer ends too early");
}

function decoded(decode: () => string, source: string): string {
  try {
    return decode();
  } catch {
    throw mistake("FILE_FORMAT", source, "the answer is no UTF-8");
  }
}

class ObjectScan {
  readonly #source: string;
  #text = "";
  #at = 0;
  #state: "start" | "key" | "end" = "start";
  /** How far the member at hand was looked through, so that a long one is not looked through again and again. */
  #member: { at: number; depth: number; inText: boolean } | undefined;

  constructor(source: string) {
    this.#source = source;
  }

  get isDone(): boolean {
    return this.#state === "end";
  }

  get heldChars(): number {
    return this.#text.length - this.#at;
  }

  add(text: string): void {
    const kept = this.#text.slice(this.#at);
    if (this.#member !== undefined) this.#member.at -= this.#at;
    this.#text = kept + text;
    this.#at = 0;
  }

  /** Members that are whole; none when more text is needed. */
  take(): ReplicaEntry[] {
    const found: ReplicaEntry[] = [];
    if (this.#state === "start" && !this.#begin()) return found;
    while (this.#state === "key" && found.length < pairsAtOnce) {
      const end = this.#memberEnd();
      if (end === undefined) break;
      const member = this.#text.slice(this.#at, end).trim();
      const isLast = this.#text[end] === "}";
      if (member !== "") found.push(this.#entry(member));
      else if (!isLast) throw this.#wrong();
      this.#at = end + 1;
      this.#member = undefined;
      if (isLast) this.#state = "end";
    }
    if (this.#state === "end" && this.#text.slice(this.#at).trim() !== "") throw this.#wrong();
    return found;
  }

  #begin(): boolean {
    const [begin = ""] = /^\s*\{?/.exec(this.#text) ?? [];
    if (begin.endsWith("{")) {
      this.#at = begin.length;
      this.#state = "key";
      return true;
    }
    if (begin.length < this.#text.length) throw this.#wrong();
    return false;
  }

  /** Where the comma or brace behind the member stands; undefined when it has not come yet. */
  #memberEnd(): number | undefined {
    const member = (this.#member ??= { at: this.#at, depth: 0, inText: false });
    const text = this.#text;
    for (; member.at < text.length; member.at += 1) {
      const char = text[member.at];
      if (member.inText) {
        // What follows a backslash may not have come yet: it is looked at again then.
        if (char === "\\" && member.at + 1 >= text.length) return undefined;
        if (char === "\\") member.at += 1;
        else if (char === '"') member.inText = false;
      } else if (char === '"') member.inText = true;
      else if (char === "[" || char === "{") member.depth += 1;
      else if (member.depth === 0 && (char === "," || char === "}")) return member.at;
      else if (char === "]" || char === "}") member.depth -= 1;
    }
    return undefined;
  }

  #entry(member: string): ReplicaEntry {
    const [whole, key] = /^("(?:[^"\\]|\\[^])*")\s*:\s*/.exec(member) ?? [];
    if (whole === undefined || key === undefined) throw this.#wrong();
    return { key: JSON.parse(key) as string, value: member.slice(whole.length) };
  }

  #wrong(): MillraceError {
    return mistake("FILE_FORMAT", this.#source, "the answer is no JSON object");
  }
}

function mistake(code: "FILE_FORMAT" | "FILE_TRUNCATED" | "FILE_EXPANDS", source: string, what: string): MillraceError {
  return new MillraceError(code, `${source}: ${what}`, { remedy: "Look at what the service answers.", at: { source } });
}
