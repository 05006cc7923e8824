import { fileURLToPath } from "node:url";
import type { Contestant } from "../contestant.ts";
import { cpuMsOf } from "../http/cpu.ts";
import { rateVerdict } from "../http/rate.ts";
import type { Service } from "../http/service.ts";
import { obtainWrk, runWrk, type WrkReport } from "../http/wrk.ts";
import { median, type Runs, runRounds } from "../rounds.ts";
import type { Verdict } from "../verdict.ts";
import { postPaced, startFleet, startUnstored } from "./service.ts";

export interface PostsOptions {
  readonly rounds: number;
  readonly seconds: number;
  readonly say: (text: string) => void;
}

const connections = 128;
const batchEvents = 100;
const warmUpSeconds = 3;
/** A run counts as long as so many events took: one takes too little time to be told in milliseconds. */
const eventsPerRun = 1_000;
const script = fileURLToPath(new URL("./posts.lua", import.meta.url));

/** `POST /events` into the embedded log, beside the same route that stores nothing. */
export async function comparePosts(options: PostsOptions): Promise<Verdict[]> {
  const { rounds, seconds, say } = options;
  const wrk = await obtainWrk();
  if (wrk === undefined) {
    say("posts were NOT RUN: wrk is not here and cannot be installed");
    return [];
  }
  const stored = await startFleet("serve");
  try {
    const bare = await startUnstored();
    try {
      const post = (name: string, service: Service, events: number): Contestant =>
        posting(name, service, { ...options, wrk, events });
      const single = post("single events, stored", stored, 1);
      const unstored = post("single events, not stored", bare, 1);
      const batch = post("batches of 100, stored", stored, batchEvents);
      for (const service of [stored, bare]) await post("warm-up", service, 1).run();
      const runs = await runRounds([single, unstored, batch], rounds, () => {});
      const of = (one: Contestant): Runs => runs.get(one) ?? [];
      const asked = (name: string, what: string, goal: number): Pick<Verdict, "name" | "what" | "goal"> => ({
        name,
        what,
        goal,
      });
      const perSecond = (eventsPerRun * 1_000) / median(of(single).map(({ ms }) => ms));
      const half = await postPaced(stored.url, perSecond / 2, seconds);
      say(
        `half load, ${Math.round(perSecond / 2)} events/s: p50 ${half.p50.toFixed(1)} ms, p99 ${half.p99.toFixed(1)} ms`,
      );
      return [
        rateVerdict(
          asked("posts-single", "single posts: stored : not stored", 1 / 0.85),
          of(single),
          of(unstored),
          eventsPerRun,
        ),
        rateVerdict(
          asked("posts-batch", "events in batches of 100 : single posts", 0.1),
          of(batch),
          of(single),
          eventsPerRun,
        ),
        {
          ...asked("posts-p99", "answers to single posts at half load, p99", 10),
          value: half.p99,
          unit: "ms",
          rounds: 1,
        },
      ];
    } finally {
      await bare.stop();
    }
  } finally {
    await stored.stop();
  }
}

interface Posting extends PostsOptions {
  readonly wrk: string;
  readonly events: number;
}

function posting(name: string, { url, pid }: Service, { wrk, events, seconds, say }: Posting): Contestant {
  return {
    name,
    reset: async () => {},
    run: async () => {
      const before = cpuMsOf([pid]);
      const forSeconds = name === "warm-up" ? warmUpSeconds : seconds;
      const report = await runWrk(wrk, url, connections, forSeconds, script, [String(events)]);
      const after = cpuMsOf([pid]);
      const runs = (report.requests * events) / eventsPerRun;
      const cpu = before === undefined || after === undefined ? {} : { cpuMs: (after - before) / runs };
      const ms = report.microseconds / 1_000 / runs;
      const each = cpu.cpuMs === undefined ? "" : `, ${cpu.cpuMs.toFixed(1)} µs CPU each`;
      say(`${name}: ${Math.round((eventsPerRun * 1_000) / ms)} events/s${each}`);
      return { ms, ...cpu, stdout: JSON.stringify(report) };
    },
    verify: async ({ stdout }) => {
      const { requests, errors } = JSON.parse(stdout) as WrkReport;
      if (errors > 0) throw new Error(`${name}: ${errors} of ${requests} requests failed`);
    },
  };
}
