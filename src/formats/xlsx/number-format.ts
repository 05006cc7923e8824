/** What of a date a number's format shows. */
export type DateKind = "date" | "time" | "timestamp" | "duration";

/** Formats that every program knows by number; those of East Asian calendars among them. */
const known: readonly (readonly [from: number, to: number, kind: DateKind])[] = [
  [14, 17, "date"],
  [18, 21, "time"],
  [22, 22, "timestamp"],
  [27, 31, "date"],
  [32, 35, "time"],
  [36, 36, "date"],
  [45, 45, "time"],
  [46, 46, "duration"],
  [47, 47, "time"],
  [50, 58, "date"],
];

/** The kind of date that a number shows in this format; undefined when it shows a number. */
export function dateKind(id: number, code: string | undefined): DateKind | undefined {
  if (code === undefined) return known.find(([from, to]) => id >= from && id <= to)?.[2];
  // The first section is that of positive numbers. What is quoted, escaped, a colour or a language shows no value.
  const [section = ""] = code.replaceAll(/"[^"]*"|\\.|_.|\*./g, "").split(";");
  if (/\[(h+|m+|s+)\]/i.test(section)) return "duration";
  const letters = section.replaceAll(/\[[^\]]*\]|am\/pm|a\/p|general/gi, "").toLowerCase();
  const hasTime = /[hs]/.test(letters);
  const hasDay = /[yd]/.test(letters) || (/m/.test(letters) && !hasTime);
  if (hasDay) return hasTime ? "timestamp" : "date";
  return hasTime ? "time" : undefined;
}

const dayMs = 86_400_000;
/** Days from the day 0 of each system to 1970-01-01. */
const epochs = { 1900: 25_569, 1904: 24_107 } as const;
/** The day that the system of 1900 counts although it never was: 1900-02-29. */
const leapDay = 60;
/** The last day that programs know: 9999-12-31. */
const lastDay = 2_958_465;

/** A number of days as ISO 8601 text; undefined where it is none, such as one before the first day. */
export function dateText(serial: number, kind: DateKind, is1904: boolean): string | undefined {
  if (!(serial >= 0) || serial > lastDay + 1) return undefined;
  // Milliseconds are what programs keep: what is beyond them is what a double has lost.
  const ms = Math.round(serial * dayMs);
  if (kind === "duration") return timeText(ms);
  if (kind === "time" && ms < dayMs) return timeText(ms);
  const days = Math.floor(ms / dayMs);
  if (!is1904 && days === leapDay) return undefined;
  const shift = is1904 ? epochs[1904] : epochs[1900] - (days < leapDay ? 1 : 0);
  const day = new Date((days - shift) * dayMs).toISOString().slice(0, 10);
  const rest = ms % dayMs;
  return kind === "date" && rest === 0 ? day : `${day}T${timeText(rest)}`;
}

function timeText(ms: number): string {
  const two = (value: number): string => String(Math.floor(value)).padStart(2, "0");
  const fraction = ms % 1000 === 0 ? "" : `.${String(ms % 1000).padStart(3, "0")}`;
  return `${two(ms / 3_600_000)}:${two((ms / 60_000) % 60)}:${two((ms / 1000) % 60)}${fraction}`;
}
