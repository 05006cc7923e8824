import { setMaxListeners } from "node:events";
import { type Command, InvalidArgumentError } from "commander";
import { countText } from "./figures.ts";
import { drive, type DriveCounts } from "./fleet/drive.ts";
import { Vehicle } from "./fleet/vehicle.ts";
import { wholeNumber } from "./flags.ts";
import { stdout } from "./screen.ts";
import { stopOnSignal } from "./stop.ts";

interface FleetFlags {
  readonly vehicles: number;
  readonly host: string;
  readonly delay: number;
  readonly for?: number;
  readonly connections: number;
  readonly json?: boolean;
}

const examples = `
Examples:
  $ millrace fleet --vehicles 50                         fifty vehicles, an event each every 3 seconds, until Ctrl-C
  $ millrace fleet --vehicles 20000 --host http://10.0.0.7:8080
  $ millrace fleet --vehicles 50 --for 20s --json | tail -1

An event that is not answered is sent again as it is, so that the server stores it once. With --json the last line is
{"event":"done","sent":…,"answered":…,"failed":…,"retries":…}: answered events are durable.`;

export function define(command: Command): void {
  command
    .description("Vehicles that send events to a fleet's server.")
    .option("--vehicles <n>", "how many", wholeNumber(1, 1_000_000), 10)
    .option("--host <url>", "the server", "http://127.0.0.1:8080")
    .option("--delay <seconds>", "between two events of a vehicle", seconds, 3)
    .option("--for <duration>", "how long: 30s, 5m, 1h; until stopped when absent", duration)
    .option("--connections <n>", "requests under way at once", wholeNumber(1, 10_000), 128)
    .option("--json", "one JSON object a line on standard output")
    .addHelpText("after", examples)
    .action((flags: FleetFlags) => fleet(flags));
}

function seconds(text: string): number {
  const value = Number(text);
  if (text.trim() !== "" && value > 0 && value <= 86_400) return value;
  throw new InvalidArgumentError("It is a number of seconds above 0.");
}

const unitsMs: Readonly<Record<string, number>> = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000 };

/** Milliseconds. */
function duration(text: string): number {
  const [, amount, unit = "s"] = /^(\d+(?:\.\d+)?)(ms|s|m|h)?$/.exec(text) ?? [];
  if (amount !== undefined) return Number(amount) * (unitsMs[unit] ?? 1_000);
  throw new InvalidArgumentError("It is a time such as 30s, 5m or 1h.");
}

const graceMs = 15_000;
const tellMs = 3_000;

async function fleet(flags: FleetFlags): Promise<void> {
  const stop = stopOnSignal("waiting for the events under way … (once more ends it now)");
  if (flags.for !== undefined) setTimeout(() => stop.request(), flags.for).unref();
  // Every vehicle listens to it.
  setMaxListeners(0, stop.signal);
  const counts: DriveCounts = { sent: 0, answered: 0, failed: 0, retries: 0 };
  const vehicles = Array.from({ length: flags.vehicles }, () => new Vehicle(Math.random, Date.now()));
  const telling = setInterval(() => tell("progress", counts, flags), tellMs);
  try {
    const { host: url, connections } = flags;
    await drive(
      { url, vehicles, delayMs: flags.delay * 1_000, connections, random: Math.random, stop: stop.signal, graceMs },
      counts,
    );
  } finally {
    clearInterval(telling);
    stop.dispose();
  }
  tell("done", counts, flags);
}

function tell(event: "progress" | "done", counts: DriveCounts, flags: FleetFlags): void {
  if (flags.json === true) {
    stdout.line(JSON.stringify({ event, ...counts }));
    return;
  }
  const { sent, answered, failed, retries } = counts;
  const again = retries === 0 ? "" : `, ${countText(retries)} sent again`;
  stdout.line(
    `${event === "done" ? "done: " : ""}sent ${countText(sent)}, answered ${countText(answered)}, failed ${countText(failed)}${again}`,
  );
}
