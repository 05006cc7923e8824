import { median, ratioOf, type Runs } from "../rounds.ts";
import type { Verdict } from "../verdict.ts";

/** The verdict on times of single answers, with the rates that they come to. */
export function rateVerdict(
  asked: Pick<Verdict, "name" | "what" | "goal">,
  mine: Runs,
  others: Runs,
  answersPerRun = 1,
): Verdict {
  const ms = median(mine.map((run) => run.ms));
  const againstMs = median(others.map((run) => run.ms));
  const perSecond = (answersPerRun * 1000) / ms;
  const againstPerSecond = (answersPerRun * 1000) / againstMs;
  const [cpuMs, againstCpuMs] = [cpuOf(mine), cpuOf(others)];
  const cpu = cpuMs === undefined || againstCpuMs === undefined ? {} : { cpuMs, againstCpuMs };
  return {
    ...asked,
    value: ratioOf(mine, others),
    ms,
    againstMs,
    perSecond,
    againstPerSecond,
    rounds: mine.length,
    ...cpu,
  };
}

function cpuOf(runs: Runs): number | undefined {
  const times = runs.flatMap(({ cpuMs }) => cpuMs ?? []);
  return times.length === 0 ? undefined : median(times);
}
