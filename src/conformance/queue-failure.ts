import { MillraceError } from "../core/error.ts";
import { errorOf, soon } from "./log-scene.ts";
import { message, type QueueBehaviour, type QueueScene, take, textsOf } from "./queue-scene.ts";

/** What goes wrong is said with a code and the place, without secrets, and sorted. */
export const queueFailureBehaviours: readonly QueueBehaviour[] = [
  { name: "says what publish has done when it resolves, and what it takes", run: saysFacts },
  { name: "tells of a queue that is not there, and makes none of it", unopened: true, run: tellsMissing },
  { name: "loses who consumes a queue that is deleted, and makes it anew", run: outlivesDeletion },
  { name: "publishes into a queue that was deleted once it is made anew", run: publishesAfterDeletion },
  { name: "refuses to publish once it is closed, and closes twice", run: refusesClosed },
  { name: "explains and sorts errors of its own and of others", run: explains },
  { name: "says why it cannot be opened, without secrets", unopened: true, run: saysWhy },
];

async function saysFacts({ queue, expect }: QueueScene): Promise<void> {
  const { durability, bodyBytesMax, recordsMax, prefetchMax, attemptsMax } = queue.facts;
  expect({ said: durability.length > 20, ends: durability.endsWith("."), takes: bodyBytesMax > 100_000 }).toEqual({
    said: true,
    ends: true,
    takes: true,
  });
  expect([recordsMax, prefetchMax, attemptsMax].every((count) => count >= 1)).toEqual(true);
}

async function tellsMissing({ queue, expect }: QueueScene): Promise<void> {
  expect([await queue.depth(), await queue.depth()]).toEqual([undefined, undefined]);
}

async function outlivesDeletion(scene: QueueScene): Promise<void> {
  const { queue, place, expect } = scene;
  const consumer = await queue.consume(10);
  const waiting = errorOf(consumer.next());
  await place.remove();
  const error = await soon(scene, waiting, () => "a consumer to be lost whose queue is deleted");
  expect({ lost: error !== undefined, kind: queue.classify(error) }).toEqual({ lost: true, kind: "wait" });
  await consumer.close();
  const next = await queue.consume(10);
  await queue.publish([message("a")]);
  expect(textsOf(await take(scene, next, 1))).toEqual(["a"]);
}

/** The first attempt may find out: that passes. */
async function publishesAfterDeletion(scene: QueueScene): Promise<void> {
  const { queue, place, expect } = scene;
  await queue.publish([message("before")]);
  await place.remove();
  const error = await errorOf(queue.publish([message("a")]));
  if (error !== undefined) {
    expect(queue.classify(error)).toEqual("wait");
    await queue.publish([message("a")]);
  }
  expect(textsOf(await take(scene, await queue.consume(1), 1))).toEqual(["a"]);
}

async function refusesClosed(scene: QueueScene): Promise<void> {
  const queue = await scene.other();
  await queue.publish([message("before")]);
  await queue.close();
  await queue.close();
  const error = await soon(scene, errorOf(queue.publish([message("behind")])), () => "a closed queue to refuse");
  const told = error === undefined ? undefined : queue.explain(error);
  const code = told instanceof MillraceError ? told.code : told;
  scene.expect({ code, kind: queue.classify(error) }).toEqual({ code: "INTERRUPTED", kind: "stop" });
}

async function explains({ queue, expect }: QueueScene): Promise<void> {
  const own = new MillraceError("SINK_FULL", "full", { remedy: "Wait." });
  expect({ same: queue.explain(own) === own, kind: queue.classify(own) }).toEqual({ same: true, kind: "wait" });
  for (const odd of [new TypeError("a mistake"), "no error at all", undefined, { message: 1 }]) {
    const told = queue.explain(odd);
    const code = told instanceof MillraceError ? told.code : told;
    expect({ code, kind: queue.classify(odd) }).toEqual({ code: "INTERNAL", kind: "stop" });
    expect(told.message.includes(queue.shown)).toEqual(true);
  }
}

async function saysWhy(scene: QueueScene): Promise<void> {
  const { queue, secrets } = await scene.place.unusable();
  try {
    const failure = await soon(scene, errorOf(queue.open()), () => "a queue to fail that cannot be opened");
    const told = failure === undefined ? undefined : queue.explain(failure);
    if (!(told instanceof MillraceError)) throw new Error("it fails without a code", { cause: failure });
    const words = [told.message, told.remedy, queue.shown].join("\n");
    scene.expect(secrets.filter((secret) => words.includes(secret))).toEqual([]);
    scene.expect({ remedy: told.remedy.length > 0, known: told.code !== "INTERNAL" }).toEqual({
      remedy: true,
      known: true,
    });
  } finally {
    await queue.close();
  }
}
