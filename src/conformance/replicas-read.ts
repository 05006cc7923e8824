import type { Replicas } from "../ports/replicas.ts";
import { contentOf, pairsOf, type ReplicasBehaviour, type ReplicasScene, rowsOf } from "./replicas-scene.ts";

/** What reading sees while others, as in other processes, replace what is read. */
export const readBehaviours: readonly ReplicasBehaviour[] = [
  { name: "reads one content to its end although it is replaced meanwhile", run: readsReplaced },
  { name: "reads one content to its end although it is cleared or removed meanwhile", run: readsRemoved },
  { name: "shows all of one content or all of another, never a part", run: showsWhole },
  { name: "keeps one of several contents that are written at once", run: keepsOne },
  { name: "registers many at once, each once", run: registersAtOnce },
];

/** Reads a piece, has `meanwhile` done, reads the rest. */
async function readAround(replicas: Replicas, name: string, meanwhile: () => Promise<unknown>): Promise<string[]> {
  const values: string[] = [];
  let isFirst = true;
  for await (const piece of replicas.entries(name)) {
    values.push(...piece.map(({ value }) => value));
    if (isFirst) await meanwhile();
    isFirst = false;
  }
  return values;
}

async function readsReplaced(scene: ReplicasScene): Promise<void> {
  const other = await scene.other();
  const rows = rowsOf("1", 3_000);
  await scene.replicas.write("t", contentOf("1", rows));
  const seen = await readAround(scene.replicas, "t", async () => {
    await other.write("t", contentOf("2", rowsOf("2", 2_000)));
    await other.write("t", contentOf("3", rowsOf("3", 10)));
  });
  scene.expect(seen).toEqual(rows.map(([, value]) => value));
  scene.expect(await pairsOf(scene.replicas, "t")).toEqual(rowsOf("3", 10));
}

async function readsRemoved(scene: ReplicasScene): Promise<void> {
  const other = await scene.other();
  const rows = rowsOf("1", 1_500);
  for (const end of [() => other.clear("t"), () => other.remove("t")]) {
    await scene.replicas.write("t", contentOf("1", rows));
    const seen = await readAround(scene.replicas, "t", end);
    scene.expect(seen).toEqual(rows.map(([, value]) => value));
    scene.expect(await pairsOf(other, "t")).toEqual([]);
  }
}

async function showsWhole(scene: ReplicasScene): Promise<void> {
  const [writer, reader] = [await scene.other(), await scene.other()];
  const countOf = (id: number): number => (id % 2 === 0 ? 1_700 : 600);
  await writer.write("t", contentOf("0", rowsOf("0", countOf(0))));
  let isDone = false;
  const writing = (async () => {
    for (let id = 1; id <= 12; id += 1) await writer.write("t", contentOf(String(id), rowsOf(String(id), countOf(id))));
  })().finally(() => {
    isDone = true;
  });
  const wrong: unknown[] = [];
  do {
    const found = await pairsOf(reader, "t");
    const [id = -1] = JSON.parse(found[0]?.[1] ?? "[]") as [string?];
    const isWhole = found.length === countOf(Number(id)) && found.every(([, value]) => value.startsWith(`["${id}",`));
    if (!isWhole) wrong.push({ id, rows: found.length });
  } while (!isDone);
  await writing;
  scene.expect(wrong).toEqual([]);
}

async function keepsOne(scene: ReplicasScene): Promise<void> {
  const all = [scene.replicas, await scene.other(), await scene.other()];
  await Promise.all(all.map((one, id) => one.write("t", contentOf(`w${id}`, rowsOf(`w${id}`, 800 + id)))));
  const found = await scene.replicas.look("t");
  const id = Number(found?.id.slice(1));
  scene.expect([0, 1, 2].includes(id)).toEqual(true);
  scene.expect(await pairsOf(scene.replicas, "t")).toEqual(rowsOf(`w${id}`, 800 + id));
  scene.expect([found?.rows, found?.meta.get("DB_NAME")]).toEqual([800 + id, `w${id}`]);
}

async function registersAtOnce(scene: ReplicasScene): Promise<void> {
  const all = [scene.replicas, await scene.other(), await scene.other()];
  const names = Array.from({ length: 10 }, (_, index) => `t${index}`);
  await Promise.all(all.flatMap((one) => names.map((name) => one.register(name, new Map([["DB_NAME", name]])))));
  scene.expect([...(await scene.replicas.names())].toSorted()).toEqual(names);
}
