import { application, type CycleWatch, setting } from "../../src/index.ts";
import { addRowsRoutes } from "./aliases.ts";
import { HttpSource } from "./http-source.ts";
import { LoadedTables } from "./loaded-tables.ts";
import { Loading, type LoadingWatch } from "./loading.ts";
import { replicaSource, type RowSource } from "./source.ts";

const settings = {
  from: setting.place(
    "file:{data}/replicas.db",
    "where replicas are read: http(s)://HOST:PORT of a service, redis://HOST:PORT/DB, or a file",
  ),
  to: setting.place("duckdb:{data}/rows.duckdb", "where the tables are; ?schema= names the schema"),
  notes: setting.place(
    "file:{data}/rows.db",
    "where the types of the tables are noted: a file or redis://HOST:PORT/DB",
  ),
  key: setting.text("", "the column that is the key; id, or the first one, when empty"),
  fingerprint: setting.text("", "SHA-256 fingerprint of a key that the service of rows.from approves"),
  parallel: setting.count(2, "partitions that are pushed at the same time", { min: 1, max: 16 }),
  partitions: setting.count(5, "partitions that a replica is cut into", { min: 1, max: 64 }),
  load: setting.flag(false, "whether the service itself loads, over and over; millrace run rows does so beside it"),
};

/** A cache of replicas into tables, and their rows over HTTP. */
export const rows = application({
  name: "rows",
  about: "replicas from their cache into tables, in parallel, and the rows over HTTP",
  settings,
  contracts: [],
  async open(context) {
    const { from, to, notes, key, fingerprint, parallel, partitions, load } = context.settings;
    const warehouse = await context.warehouse(to, []);
    const store = await context.store(notes);
    const tables = new LoadedTables({ store, warehouse, lanes: parallel, now: () => context.now() });
    let source: Promise<RowSource> | undefined;
    const opened = async (): Promise<RowSource> =>
      /^https?:/i.test(from)
        ? new HttpSource(from, fingerprint, context.stopping)
        : replicaSource(await context.replicas(from));
    const turn = async (watch: CycleWatch): Promise<boolean> => {
      source ??= opened();
      source.catch(() => {
        source = undefined;
      });
      const folder = context.scratch;
      const parts = { source: await source, warehouse, tables, key, parallel, partitions, folder };
      return new Loading(parts).turn(told(watch));
    };
    return {
      routes: (app) => addRowsRoutes(app, tables),
      cycle: { turn, isWanted: load },
    };
  },
});

/** What people are told of a turn. */
function told(watch: CycleWatch): LoadingWatch {
  return {
    begun: (replica, count) => watch.begun(replica, count),
    pushed: (_, count) => {
      watch.say(`Pushed ${count} lines`);
      watch.done(count);
    },
    done: (replica, { read, loaded, merged, filtered, rejected, cleared, first, table }) => {
      watch.summary([
        ...first.map((row) =>
          JSON.stringify(row, (_, value: unknown) => (typeof value === "bigint" ? String(value) : value)),
        ),
        `${replica} → ${table}: read ${read} = loaded ${loaded} + merged ${merged} + filtered ${filtered} + rejected ${rejected}; cleared ${cleared}`,
      ]);
    },
  };
}
