// `millrace run rows` is killed at every point of a turn, while rows of the cache change and come. In the end the table has
// the last value of every row, once. MILLRACE_ROWS_KILLS=100 does it that often.
import { expect, it } from "vitest";
import { fileReplicas } from "../../../src/adapters/file/index.ts";
import { contentOf, pairsOf } from "../../../src/conformance/replicas-scene.ts";
import { parsePlace } from "../../../src/core/place.ts";
import type { Replicas } from "../../../src/ports/replicas.ts";
import { adapterContext } from "../../../src/runtime/context.ts";
import { Session } from "../../../src/runtime/session.ts";
import { ended, lineWith, Workplace } from "../../cli/cli.ts";

const kills = Number(process.env["MILLRACE_ROWS_KILLS"] ?? 5);
const rowsAtOnce = 1_500;

const noEngine = { connect: () => Promise.reject(new Error("no engine here")), uniqueName: (prefix: string) => prefix };
const context = adapterContext(noEngine, () => undefined);

/** What every row was last written as. */
class Truth {
  readonly last = new Map<string, string>();
  readonly #replicas: Replicas;
  #round = 0;

  constructor(replicas: Replicas) {
    this.#replicas = replicas;
  }

  /** New rows come, some that are known change, and what is in the cache stays. */
  async write(): Promise<void> {
    this.#round += 1;
    const fresh = Array.from({ length: rowsAtOnce }, (_, row) => String(this.#round * 100_000 + row));
    const known = [...this.last.keys()].filter((_, index) => index % 17 === this.#round % 17);
    const rows = new Map(await pairsOf(this.#replicas, "t"));
    for (const key of [...fresh, ...known]) {
      const value = JSON.stringify([{ round: this.#round }, `2020-05-03T15:34:${10 + (this.#round % 50)}.504`]);
      rows.set(key, value);
      this.last.set(key, value);
    }
    const meta = { DB_NAME: "t", COLUMNS: '["id","address","inserted_at"]' };
    await this.#replicas.write("t", contentOf(`round ${this.#round}`, [...rows], meta, 500));
  }
}

async function rowsIn(workplace: Workplace): Promise<Map<string, string>> {
  const session = await Session.open({ notice: () => undefined, memoryBytes: 256 * 2 ** 20 });
  try {
    const sink = await session.sink(`duckdb:${workplace.path("data/rows.duckdb")}`);
    const found = new Map<string, string>();
    for await (const piece of sink.query("select id, address, inserted_at from t")) {
      for (const { id, address, inserted_at: time } of piece) {
        const key = JSON.stringify(id);
        expect(found.has(key)).toBe(false);
        found.set(key, JSON.stringify([address, time]));
      }
    }
    const ledger = await sink.records.ledger({ table: "t", limit: 100_000 });
    expect(ledger.filter((one) => one.read !== one.loaded + one.merged || one.rejected > 0)).toEqual([]);
    expect(ledger.reduce((sum, { loaded }) => sum + loaded, 0)).toBe(found.size);
    return found;
  } finally {
    await session.close();
  }
}

it(
  `loses no row and doubles none over ${kills} kills`,
  async () => {
    await using workplace = await Workplace.open();
    const run = ["run", "rows", "--data", workplace.path("data"), "--partitions", "3"];
    // The folder, the tables and the types as a first turn leaves them.
    expect((await workplace.millrace(...run, "--once")).code).toBe(0);
    const replicas = fileReplicas(parsePlace(`file:${workplace.path("data/replicas.db")}`), context);
    await replicas.open();
    try {
      const truth = new Truth(replicas);
      for (let kill = 0; kill < kills; kill += 1) {
        await truth.write();
        const child = workplace.start(run);
        const gone = ended(child);
        let lines = 0;
        // One line more each time: before, between and behind the commits, and behind the clearing.
        child.stdout?.on("data", (text: string) => {
          lines += text.split("\n").length - 1;
          if (lines > kill % 8) child.kill("SIGKILL");
        });
        const first = lineWith(child, "Pushed").catch(() => "");
        if (kill % 2 === 1 && (await first) !== "") await truth.write();
        const late = setTimeout(() => child.kill("SIGKILL"), 15_000);
        await gone;
        clearTimeout(late);
      }
      for (let turn = 0; turn < 3 && (await pairsOf(replicas, "t", 1)).length > 0; turn += 1) {
        const { code, stderr } = await workplace.millrace(...run, "--once");
        expect({ code, stderr }).toMatchObject({ code: 0 });
      }
      expect(await pairsOf(replicas, "t")).toEqual([]);
      expect(await rowsIn(workplace)).toEqual(truth.last);
    } finally {
      await replicas.close();
    }
  },
  60_000 + kills * 20_000,
);
