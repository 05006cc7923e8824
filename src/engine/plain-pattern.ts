/**
 * Whether the ASCII text between two bytes matches a pattern as a whole; false as well where a byte is not ASCII, so that
 * it can only be asked for what matches for sure.
 */
export type ByteMatch = (text: Buffer, start: number, end: number) => boolean;

/** Characters that may stand at a place, and how often. */
interface Part {
  readonly allowed: Uint8Array;
  readonly least: number;
  readonly most: number;
}

const asciiBytes = 128;
/** A class of plain characters and ranges, or one plain character; then perhaps how often. */
const partForm = /\[((?:[A-Za-z0-9_ .:/@]-[A-Za-z0-9_ .:/@]|[A-Za-z0-9_ .:/@])+-?)\]|([A-Za-z0-9_ :/@-])/y;
const timesForm = /\{([0-9]{1,3})(?:(,)([0-9]{1,3})?)?\}|([?*+])/y;

/**
 * The patterns that bytes can tell: classes and characters, each a fixed number of times but for the last. They mean the same
 * in every dialect, and are matched without a step back. Undefined for all others.
 */
export function plainPattern(pattern: string): ByteMatch | undefined {
  const parts: Part[] = [];
  for (let at = 0; at < pattern.length; ) {
    partForm.lastIndex = at;
    const found = partForm.exec(pattern);
    if (found === null) return undefined;
    timesForm.lastIndex = partForm.lastIndex;
    const times = timesForm.exec(pattern);
    at = times === null ? partForm.lastIndex : timesForm.lastIndex;
    const part = partOf(found[1] ?? found[2] ?? "", times);
    if (part === undefined || (part.least !== part.most && at < pattern.length)) return undefined;
    parts.push(part);
  }
  return parts.length === 0 ? undefined : (text, start, end) => matches(parts, text, start, end);
}

function partOf(characters: string, times: RegExpExecArray | null): Part | undefined {
  const allowed = new Uint8Array(asciiBytes * 2);
  for (const [, from = "", to = from] of characters.matchAll(/(.)(?:-(.))?/g)) {
    if (from > to) return undefined;
    allowed.fill(1, from.charCodeAt(0), to.charCodeAt(0) + 1);
  }
  if (times === null) return { allowed, least: 1, most: 1 };
  const [, least, open, most, sign] = times;
  if (sign !== undefined) {
    return { allowed, least: sign === "+" ? 1 : 0, most: sign === "?" ? 1 : Number.POSITIVE_INFINITY };
  }
  const last = open === undefined ? least : (most ?? Number.POSITIVE_INFINITY);
  // Some dialects refuse it, others match nothing.
  return Number(last) < Number(least) ? undefined : { allowed, least: Number(least), most: Number(last) };
}

function matches(parts: readonly Part[], text: Buffer, start: number, end: number): boolean {
  let at = start;
  for (const { allowed, least, most } of parts) {
    const last = Math.min(end, at + most);
    const first = at + least;
    while (at < last && allowed[text[at] as number] === 1) at += 1;
    if (at < first) return false;
  }
  return at === end;
}
