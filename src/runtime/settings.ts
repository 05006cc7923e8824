import { join, resolve } from "node:path";
import { MillraceError } from "../core/error.ts";
import { type SettingRules, type SettingsOf, settingValue } from "../core/setting.ts";
import { nearestName } from "../formats/nearest.ts";
import type { LoadedConfig } from "./config.ts";

/** Where the embedded places lie unless `--data` says otherwise. */
export const standardDataFolder = ".millrace";

/** Where settings come from; the first that has one wins: flags, environment, configuration, standard. */
export interface SettingSources {
  /** `--set GROUP.NAME=VALUE`, as given. */
  readonly flags: readonly string[];
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly config: Pick<LoadedConfig, "file" | "settings">;
  /** The data folder: `{data}` in a place. */
  readonly data: string;
}

/** Rules of every group of settings there is: those of the applications by their names, and `http`. */
export type SettingGroups = Readonly<Record<string, SettingRules>>;

/** `backupKeep` of `hr` is `MILLRACE_HR_BACKUP_KEEP`. */
export function environmentName(group: string, name: string): string {
  return `MILLRACE_${[group, name].map((part) => part.replaceAll(/(?<=[a-z0-9])(?=[A-Z])/g, "_").toUpperCase()).join("_")}`;
}

/** Settings resolved group by group. Throws CONFIG_INVALID for what no group knows, wherever it was said. */
export class Settings {
  readonly #sources: SettingSources;
  readonly #groups: SettingGroups;
  readonly #flags: ReadonlyMap<string, string>;

  /** With `only`, groups of the configuration that are not among `groups` are another command's, and left alone. */
  constructor(groups: SettingGroups, sources: SettingSources, { only = false }: { readonly only?: boolean } = {}) {
    this.#groups = groups;
    this.#sources = sources;
    this.#flags = new Map(sources.flags.map(flagPair));
    for (const name of this.#flags.keys()) this.#requireKnown(name, undefined);
    const { file, settings = {} } = sources.config;
    for (const [group, values] of Object.entries(settings)) {
      if (only && !Object.hasOwn(groups, group)) continue;
      for (const name of Object.keys(values)) this.#requireKnown(`${group}.${name}`, file);
    }
  }

  of<const Rules extends SettingRules>(group: string, rules: Rules): SettingsOf<Rules> {
    const values = Object.entries(rules).map(([name, rule]) => {
      const value = settingValue(`${group}.${name}`, rule, this.#given(group, name) ?? rule.default);
      return [name, rule.kind === "place" ? this.#placed(String(value)) : value];
    });
    return Object.fromEntries(values) as SettingsOf<Rules>;
  }

  #given(group: string, name: string): unknown {
    const { environment, config } = this.#sources;
    return (
      this.#flags.get(`${group}.${name}`) ??
      environment[environmentName(group, name)] ??
      config.settings?.[group]?.[name]
    );
  }

  #placed(place: string): string {
    return place.replaceAll("{data}", this.#sources.data);
  }

  #requireKnown(name: string, file: string | undefined): void {
    const known = Object.entries(this.#groups).flatMap(([group, rules]) =>
      Object.keys(rules).map((one) => `${group}.${one}`),
    );
    if (known.includes(name)) return;
    const near = nearestName(name, known);
    throw new MillraceError("CONFIG_INVALID", `There is no setting ${name}`, {
      remedy:
        near === undefined
          ? `Settings are ${known.join(", ")}.`
          : `Did you mean ${near}? Settings are ${known.join(", ")}.`,
      ...(file === undefined ? {} : { at: { source: file } }),
    });
  }
}

function flagPair(text: string): [string, string] {
  const at = text.indexOf("=");
  if (at > 0) return [text.slice(0, at).trim(), text.slice(at + 1)];
  throw new MillraceError("USAGE", "--set is followed by GROUP.NAME=VALUE", {
    remedy: "Write, for one, --set hr.to=postgres://localhost/hr.",
  });
}

/** The data folder as an absolute path: what `--data` says, else `MILLRACE_DATA`, else `.millrace` beside the project. */
export function dataFolder(
  flag: string | undefined,
  environment: SettingSources["environment"],
  folder: string,
): string {
  return flag === undefined ? resolve(environment["MILLRACE_DATA"] ?? join(folder, standardDataFolder)) : resolve(flag);
}
