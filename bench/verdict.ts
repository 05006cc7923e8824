import { arch, availableParallelism, cpus, platform, totalmem } from "node:os";
import { table } from "../scripts/services/table.ts";

/** What one comparison came to. `value` is a ratio, or in `unit`. */
export interface Verdict {
  readonly name: string;
  /** What is compared with what. */
  readonly what: string;
  readonly value: number;
  readonly unit?: "ms" | "MB";
  readonly goal: number;
  /** Medians behind a ratio, in ms. */
  readonly ms?: number;
  readonly againstMs?: number;
  readonly rounds: number;
}

export const isMet = ({ value, goal }: Verdict): boolean => value <= goal;

/** The machine that figures were taken on. */
export function machineOf(versions: Readonly<Record<string, string>>): Readonly<Record<string, string | number>> {
  return {
    date: new Date().toISOString().slice(0, 10),
    system: `${platform()} ${arch()}`,
    cpu: cpus()[0]?.model ?? "unknown",
    cores: availableParallelism(),
    memoryGB: Math.round(totalmem() / 2 ** 30),
    node: process.versions.node,
    ...versions,
  };
}

export function printVerdicts(
  verdicts: readonly Verdict[],
  machine: Readonly<Record<string, string | number>>,
  json: boolean,
): void {
  if (json) {
    for (const verdict of verdicts) {
      console.log(JSON.stringify({ bench: "load", ...verdict, ok: isMet(verdict), machine }));
    }
    return;
  }
  const rows = verdicts.map((verdict) => [
    verdict.name,
    shown(verdict.value, verdict.unit),
    `≤ ${shown(verdict.goal, verdict.unit)}`,
    isMet(verdict) ? "ok" : "over",
    verdict.ms === undefined ? "" : seconds(verdict.ms),
    verdict.againstMs === undefined ? "" : seconds(verdict.againstMs),
    verdict.what,
  ]);
  console.log(table([["name", "value", "goal", "", "time", "against", "what"], ...rows]));
  console.log(
    `\n${Object.entries(machine)
      .map(([name, value]) => `${name} ${value}`)
      .join(", ")}`,
  );
}

function shown(value: number, unit: Verdict["unit"]): string {
  return unit === undefined ? `${value.toFixed(2)} ×` : `${Math.round(value)} ${unit}`;
}

const seconds = (ms: number): string => `${(ms / 1000).toFixed(2)} s`;
