/** What a segment of a name in an archive may hold: ASCII letters, digits and `._-`. */
const segmentPattern = /^[A-Za-z0-9._-]+$/;

/** The segments of a name in an archive, as `ports/archive` has it; undefined when it is no such name. */
export function archiveSegments(name: string): string[] | undefined {
  const segments = name.split("/");
  return segments.every(isSegment) ? segments : undefined;
}

function isSegment(text: string): boolean {
  return segmentPattern.test(text) && text !== "." && text !== "..";
}

/** The segments of a name that comes from code. Throws a TypeError for what is no name. */
export function requireArchiveName(name: string): string[] {
  const segments = archiveSegments(name);
  if (segments === undefined) throw new TypeError(`${JSON.stringify(name)} is no name of an archive`);
  return segments;
}

/** The whole segments of what names may start with, and the beginning of a further one. Throws a TypeError. */
export function requireArchivePrefix(prefix: string): { readonly segments: readonly string[]; readonly rest: string } {
  const segments = prefix.split("/");
  const rest = segments.pop() ?? "";
  const isBeginning = rest === "" || segmentPattern.test(rest);
  if (!isBeginning || !segments.every(isSegment)) {
    throw new TypeError(`No name of an archive starts with ${JSON.stringify(prefix)}`);
  }
  return { segments, rest };
}
