// A process is killed right before each call that leaves a trace; whoever comes next finds all of a step done, or none, and
// does the rest.
import { spawn } from "node:child_process";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, it } from "vitest";
import { pairsOf } from "../../../src/conformance/replicas-scene.ts";
import { ended } from "../../cli/cli.ts";
import { killScene, type KillStep, plays, untouched } from "./kill-scene.ts";

const rows = Array.from({ length: 6 }, (_, row) => [`k${row}`, `[${row}]`]);

interface Seen {
  readonly status: unknown;
  readonly names: readonly string[];
  readonly rows: readonly (readonly string[])[];
}

const before: Readonly<Record<KillStep, readonly KillStep[]>> = {
  register: [],
  load: ["register"],
  unregister: ["register", "load"],
};

const after: Readonly<Record<KillStep, Seen>> = {
  register: { status: "REGISTERED", names: ["t"], rows: [] },
  load: { status: "PROCESSED", names: ["t"], rows },
  unregister: { status: "READY", names: [], rows: [] },
};

async function see(folder: string, steps: readonly KillStep[]): Promise<Seen> {
  const scene = await killScene(folder, untouched);
  try {
    for (const step of steps) await plays[step](scene.replicating);
    const text = readFileSync(join(folder, "IN_STREAM", "t.ticket"), "utf8");
    const { status } = JSON.parse(text) as { readonly status: string };
    return { status, names: await scene.replicas.names(), rows: await pairsOf(scene.replicas, "t") };
  } finally {
    await scene.close();
  }
}

async function killed(folder: string, step: KillStep, call: number): Promise<boolean> {
  const child = spawn(process.execPath, [join(import.meta.dirname, "kill-child.ts"), folder, step, String(call)]);
  const { stdout, stderr } = await ended(child);
  if (child.signalCode === "SIGKILL") return true;
  expect({ code: child.exitCode, stdout, stderr: stderr.slice(0, 500) }).toMatchObject({
    code: 0,
    stdout: String(call - 1),
  });
  return false;
}

it.each(["register", "load", "unregister"] as const)(
  "a kill at any point of %s repairs itself",
  async (step) => {
    for (let call = 1, going = true; going; call += 1) {
      const folder = mkdtempSync(join(tmpdir(), "millrace-kill-"));
      try {
        mkdirSync(join(folder, "IN_STREAM"));
        writeFileSync(join(folder, "IN_STREAM", "t.csv"), "n\n1\n");
        const ticket = { file_name: "t.csv", status: "READY", note: "theirs" };
        writeFileSync(join(folder, "IN_STREAM", "t.ticket"), JSON.stringify(ticket));
        await see(folder, before[step]);
        going = await killed(folder, step, call);
        // Nobody who looks meanwhile sees half of it.
        const found = await see(folder, []);
        expect([[], rows].map((some) => JSON.stringify(some))).toContain(JSON.stringify(found.rows));
        expect(await see(folder, [step]), `killed before call ${call}`).toEqual(after[step]);
        expect(readFileSync(join(folder, "IN_STREAM", "t.ticket"), "utf8")).toContain('"note": "theirs"');
        expect(readdirSync(join(folder, "IN_STREAM")).toSorted()).toEqual(["t.csv", "t.ticket"]);
      } finally {
        rmSync(folder, { recursive: true });
      }
    }
  },
  240_000,
);
