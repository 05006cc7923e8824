import { MillraceError } from "./error.ts";
import { parsePlace } from "./place.ts";

/** What a setting may be. `place` is a URL or path, in which `{data}` stands for the data folder. */
export interface Setting<Value extends SettingValue = SettingValue> {
  readonly kind: "place" | "text" | "count" | "bytes" | "flag";
  readonly default: Value;
  /** One sentence for people. */
  readonly about: string;
  readonly min?: number;
  readonly max?: number;
}

export type SettingValue = string | number | boolean;
export type SettingRules = Readonly<Record<string, Setting>>;

/** The values of a group of settings, by name. */
export type SettingsOf<Rules> = {
  readonly [Name in keyof Rules]: Rules[Name] extends Setting<infer Value> ? Value : never;
};

/** Declares settings: `{ to: setting.place("duckdb:{data}/hr.duckdb", "where rows go") }`. */
export const setting = {
  place: (standard: string, about: string): Setting<string> => ({ kind: "place", default: standard, about }),
  text: (standard: string, about: string): Setting<string> => ({ kind: "text", default: standard, about }),
  flag: (standard: boolean, about: string): Setting<boolean> => ({ kind: "flag", default: standard, about }),
  count: (standard: number, about: string, bounds: { min?: number; max?: number } = {}): Setting<number> => ({
    ...{ kind: "count", default: standard, about },
    ...bounds,
  }),
  /** A size: `64MB`; 1 MB is 2^20 bytes. */
  bytes: (standard: number, about: string): Setting<number> => ({ kind: "bytes", default: standard, about, min: 1 }),
} as const;

const units: Readonly<Record<string, number>> = { "": 1, B: 1, KB: 2 ** 10, MB: 2 ** 20, GB: 2 ** 30 };

/** Bytes of `"512MB"`, `"2GB"` or `"1000000"`; undefined when it is none of that. 1 MB is 2^20 bytes. */
export function bytesOf(text: string): number | undefined {
  const match = /^\s*(\d+(?:\.\d+)?)\s*([KMG]?)i?(B?)\s*$/i.exec(text);
  const unit = match === null ? undefined : units[`${match[2]?.toUpperCase() ?? ""}${match[2] === "" ? "" : "B"}`];
  return match === null || unit === undefined ? undefined : Math.floor(Number(match[1]) * unit);
}

/**
 * The value of the setting called `name` (`hr.to`), given as text by a flag or the environment, or as it stands in a
 * configuration. Throws CONFIG_INVALID, which never repeats the value of a place: it may hold a password.
 */
export function settingValue(name: string, rule: Setting, given: unknown): SettingValue {
  const value = readAs(rule, given);
  const outside =
    typeof value === "number" && (value < (rule.min ?? 0) || value > (rule.max ?? Number.MAX_SAFE_INTEGER));
  if (value === undefined || outside) throw mistake(name, rule, given);
  if (rule.kind === "place" && value !== "") parsePlace(String(value));
  return value;
}

function readAs({ kind }: Setting, given: unknown): SettingValue | undefined {
  switch (kind) {
    case "place":
    case "text":
      return typeof given === "string" && !given.includes("\0") ? given : undefined;
    case "flag":
      return typeof given === "boolean" ? given : flags[String(given).toLowerCase()];
    case "count":
      return isWholeNumber(given) ? Number(given) : undefined;
    case "bytes":
      return typeof given === "number" ? given : bytesOf(String(given));
  }
}

const flags: Readonly<Record<string, boolean>> = {
  true: true,
  yes: true,
  "1": true,
  false: false,
  no: false,
  "0": false,
};

function isWholeNumber(given: unknown): boolean {
  return typeof given === "number"
    ? Number.isSafeInteger(given)
    : typeof given === "string" && /^\d{1,15}$/.test(given);
}

function mistake(name: string, rule: Setting, given: unknown): MillraceError {
  const shown = rule.kind === "place" || rule.kind === "text" ? "its value" : JSON.stringify(given);
  return new MillraceError("CONFIG_INVALID", `The setting ${name} cannot be used: ${shown} is not ${saysOf(rule)}`, {
    remedy: `${name}: ${rule.about}. Standard: ${String(rule.default)}.`,
  });
}

function saysOf({ kind, min = 0, max }: Setting): string {
  const bounds = max === undefined ? `from ${min} on` : `from ${min} to ${max}`;
  const says = { place: "a URL or a path", text: "text", flag: "true or false", bytes: "a size such as 64MB" };
  return kind === "count" ? `a whole number ${bounds}` : says[kind];
}
