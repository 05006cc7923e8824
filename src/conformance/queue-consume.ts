import { message, type QueueBehaviour, type QueueScene, take, takesNothing, textsOf } from "./queue-scene.ts";

/** Each message goes to one, until that one acknowledges it. */
export const consumeBehaviours: readonly QueueBehaviour[] = [
  { name: "hands each message to one of those who consume", run: handsToOne },
  { name: "hands out no more than may be unacknowledged", run: keepsToPrefetch },
  { name: "hands out more when it may", run: raisesPrefetch },
  { name: "hands out again what was not acknowledged, and nothing else", run: handsOutAgain },
  { name: "counts how often a message came back", run: countsAttempts },
  { name: "waits for what is published later, and no longer than said", run: waits },
  { name: "tells that nothing waits only when nothing is on its way", run: tellsWaiting },
  { name: "ends what consumes when it is closed", run: endsConsumers },
];

const letters = ["a", "b", "c", "d", "e"];

async function handsToOne(scene: QueueScene): Promise<void> {
  const { queue, expect } = scene;
  const [one, two] = [await queue.consume(2), await (await scene.other()).consume(3)];
  await queue.publish(letters.map(message));
  const [some, others] = await Promise.all([take(scene, one, 2), take(scene, two, 3)]);
  expect([...textsOf(some), ...textsOf(others)].toSorted()).toEqual(letters);
}

async function keepsToPrefetch(scene: QueueScene): Promise<void> {
  const { queue, expect } = scene;
  await queue.publish(letters.map(message));
  const consumer = await queue.consume(2);
  const taken = await take(scene, consumer, 2);
  expect({ taken: textsOf(taken), nothing: await takesNothing(consumer) }).toEqual({
    taken: ["a", "b"],
    nothing: true,
  });
  const [first] = taken;
  if (first !== undefined) consumer.acknowledge(first, "all before");
  expect(textsOf(await take(scene, consumer, 1))).toEqual(["c"]);
}

async function raisesPrefetch(scene: QueueScene): Promise<void> {
  const { queue, expect } = scene;
  await queue.publish(letters.map(message));
  const consumer = await queue.consume(1);
  const taken = await take(scene, consumer, 1);
  await consumer.prefetch(10);
  taken.push(...(await take(scene, consumer, 4)));
  expect(textsOf(taken)).toEqual(letters);
  const last = taken.at(-1);
  if (last !== undefined) consumer.acknowledge(last, "all before");
  await consumer.close();
  expect((await queue.depth())?.waiting).toEqual(0);
}

/** Of five the first two are acknowledged together, and the fourth alone. */
async function handsOutAgain(scene: QueueScene): Promise<void> {
  const { queue, expect } = scene;
  await queue.publish(letters.map(message));
  const consumer = await queue.consume(10);
  const [, second, , fourth] = await take(scene, consumer, 5);
  if (second === undefined || fourth === undefined) throw new Error("there are not five");
  consumer.acknowledge(fourth, "alone");
  consumer.acknowledge(second, "all before");
  await consumer.close();
  const again = await (await scene.other()).consume(10);
  expect(textsOf(await take(scene, again, 2)).toSorted()).toEqual(["c", "e"]);
  expect(await takesNothing(again)).toEqual(true);
}

async function countsAttempts(scene: QueueScene): Promise<void> {
  const { queue, expect } = scene;
  await queue.publish([message("a")]);
  const counts: (number | undefined)[] = [];
  for (let time = 0; time < 3; time += 1) {
    const consumer = await queue.consume(1);
    counts.push((await take(scene, consumer, 1))[0]?.attempts);
    await consumer.close();
  }
  expect(counts).toEqual([0, 1, 2]);
}

async function waits(scene: QueueScene): Promise<void> {
  const { queue, expect } = scene;
  const consumer = await queue.consume(10);
  expect(await consumer.next(50)).toEqual(undefined);
  const next = take(scene, consumer, 1);
  await queue.publish([message("late")]);
  expect(textsOf(await next)).toEqual(["late"]);
}

async function tellsWaiting(scene: QueueScene): Promise<void> {
  const { queue, expect } = scene;
  const texts = Array.from({ length: 200 }, (_, number) => `${number}`);
  await queue.publish(texts.map(message));
  const consumer = await queue.consume(1_000);
  while ((await consumer.waiting()) > 0) continue;
  const taken = await consumer.next(0);
  expect(taken?.length).toEqual(200);
}

async function endsConsumers(scene: QueueScene): Promise<void> {
  const queue = await scene.other();
  const consumer = await queue.consume(10);
  const next = consumer.next();
  await queue.close();
  scene.expect(await next.catch(() => undefined)).toEqual(undefined);
  await consumer.close();
}
