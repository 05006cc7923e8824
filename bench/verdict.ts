import { arch, availableParallelism, cpus, platform, totalmem } from "node:os";
import { table } from "../scripts/services/table.ts";

/** What one comparison came to. `value` is a ratio, or in `unit`. */
export interface Verdict {
  readonly name: string;
  /** What is compared with what. */
  readonly what: string;
  readonly value: number;
  readonly unit?: "ms" | "MB";
  /** What `value` may be at most; none where it is only to be known. */
  readonly goal?: number;
  /** Medians behind a ratio, in ms. */
  readonly ms?: number;
  readonly againstMs?: number;
  /** The same as rates, where these say more. */
  readonly perSecond?: number;
  readonly againstPerSecond?: number;
  /** Processor time of all that take part in an answer, where the system tells. */
  readonly cpuMs?: number;
  readonly againstCpuMs?: number;
  readonly rounds: number;
}

export const isMet = ({ value, goal }: Verdict): boolean => goal === undefined || value <= goal;

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
  bench: "load" | "http" | "stream" | "profile" | "rows",
  verdicts: readonly Verdict[],
  machine: Readonly<Record<string, string | number>>,
  json: boolean,
): void {
  if (json) {
    for (const verdict of verdicts) {
      console.log(JSON.stringify({ bench, ...verdict, ok: isMet(verdict), machine }));
    }
    return;
  }
  const rows = verdicts.map((verdict) => [
    verdict.name,
    shown(verdict.value, verdict.unit),
    verdict.goal === undefined ? "" : `≤ ${shown(verdict.goal, verdict.unit)}`,
    verdict.goal === undefined ? "" : isMet(verdict) ? "ok" : "over",
    timeOrRate(verdict.ms, verdict.perSecond),
    timeOrRate(verdict.againstMs, verdict.againstPerSecond),
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

function timeOrRate(ms: number | undefined, perSecond: number | undefined): string {
  if (perSecond !== undefined) return `${perSecond.toFixed(perSecond < 1000 ? 1 : 0)}/s`;
  return ms === undefined ? "" : `${(ms / 1000).toFixed(2)} s`;
}
