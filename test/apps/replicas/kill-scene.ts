import { join } from "node:path";
import type { CleanedRelation } from "../../../apps/replicas/cleaning.ts";
import { refusalOf, replicaNameOf } from "../../../apps/replicas/replica-files.ts";
import { repairWith, Replicating } from "../../../apps/replicas/replicating.ts";
import { fileReplicas, fileStore, localDrop } from "../../../src/adapters/file/index.ts";
import type { Ticket } from "../../../src/core/ticket.ts";
import { parsePlace } from "../../../src/core/place.ts";
import type { AdapterContext } from "../../../src/ports/adapter.ts";
import type { Drop } from "../../../src/ports/drop.ts";
import type { EngineConnection, EngineRow } from "../../../src/ports/engine.ts";
import type { Replicas } from "../../../src/ports/replicas.ts";
import type { Store } from "../../../src/ports/store.ts";
import type { FileRelation } from "../../../src/runtime/file-relation.ts";
import { Tickets } from "../../../src/runtime/tickets.ts";

export type KillStep = "register" | "load" | "unregister";

export const plays: Readonly<Record<KillStep, (replicating: Replicating) => Promise<unknown>>> = {
  register: (replicating) => replicating.register(),
  load: (replicating) => replicating.load(false),
  unregister: (replicating) => replicating.unregister(),
};

export interface Around {
  readonly drop: (drop: Drop) => Drop;
  readonly store: (store: Store) => Store;
  readonly replicas: (replicas: Replicas) => Replicas;
  /** Called before each piece of rows. */
  readonly piece: () => void;
}

export const untouched: Around = {
  drop: (drop) => drop,
  store: (store) => store,
  replicas: (replicas) => replicas,
  piece: () => undefined,
};

/** The parts of the application over a folder, real but for the clock, on which every pause is over at once. */
export async function killScene(
  folder: string,
  around: Around,
): Promise<{
  readonly replicating: Replicating;
  readonly replicas: Replicas;
  close(): Promise<void>;
}> {
  let aheadMs = 0;
  const now = (): number => Date.now() + aheadMs;
  const context: AdapterContext = {
    engine: { connect: () => Promise.reject(new Error("no engine here")), uniqueName: (prefix) => prefix },
    now,
    pause: async (ms) => {
      aheadMs += ms;
    },
    notice: () => undefined,
  };
  const place = parsePlace(`file:${join(folder, "replicas.db")}`);
  const [ownStore, ownReplicas] = [fileStore(place, context), fileReplicas(place, context)];
  const ownDrop = localDrop(parsePlace(`file:${join(folder, "IN_STREAM")}`), context);
  for (const one of [ownStore, ownReplicas, ownDrop]) await one.open();
  const [drop, store, replicas] = [around.drop(ownDrop), around.store(ownStore), around.replicas(ownReplicas)];
  const tickets = new Tickets(
    { drop, store, context, refuses: refusalOf, nameOf: replicaNameOf },
    repairWith(replicas),
  );
  const relation = <Result>(_: Ticket, work: (given: FileRelation) => Promise<Result>): Promise<Result> =>
    work(twoPieces(around.piece));
  const clean = async ({ columns }: FileRelation): Promise<CleanedRelation> => ({
    ...{ relation: "data", columns, changes: [] },
    findings: { constant: [], duplicated: new Map(), missing: [] },
  });
  const replicating = new Replicating({ drop, tickets, replicas, store, clean, now, relation });
  const close = async (): Promise<void> => {
    await ownStore.close();
    await ownReplicas.close();
  };
  return { replicating, replicas: ownReplicas, close };
}

/** Stands for the engine, whose work leaves nothing that a kill could part: six rows in two pieces. */
function twoPieces(piece: () => void): FileRelation {
  const rows: EngineRow[] = Array.from({ length: 6 }, (_, row) => ({ key: `k${row}`, value: `[${row}]` }));
  async function* stream(): AsyncGenerator<readonly EngineRow[]> {
    for (const some of [rows.slice(0, 3), rows.slice(3)]) {
      piece();
      yield some;
    }
  }
  const connection: EngineConnection = {
    run: async () => 0,
    all: async () => [{ n: 6, keys: 6, distinct_keys: 6 }],
    stream,
    scan: stream,
    close: () => undefined,
  };
  return {
    connection,
    relation: "data",
    columns: [{ name: "n", type: "INTEGER" }],
    rows: 6,
    rejected: 0,
    measured: new Map(),
    changes: [],
    profile: async () => ({ rows: 6, columns: [] }),
  };
}
