import { type QueueBehaviour, message, type QueueScene, take, textsOf } from "./queue-scene.ts";
import { textOf } from "./log-scene.ts";

/** What is published is there, whole and once. */
export const publishBehaviours: readonly QueueBehaviour[] = [
  { name: "opens several times, and from several at once, as one queue", run: opensAsOne },
  { name: "hands out bytes, ids, records and times as they were", run: keepsMessages },
  { name: "keeps what was published when it is opened again, in order", run: keepsOrder },
  { name: "publishes many at the same time", run: publishesManyAtOnce },
  { name: "tells how many messages wait, and how many were set aside", run: tellsDepth },
];

async function opensAsOne(scene: QueueScene): Promise<void> {
  await scene.queue.publish([message("a")]);
  await Promise.all([scene.other(), scene.other(), scene.queue.open()]);
  const depth = await scene.queue.depth();
  scene.expect(depth?.waiting).toEqual(1);
}

async function keepsMessages(scene: QueueScene): Promise<void> {
  const { queue, expect } = scene;
  const odd = Uint8Array.from({ length: 256 }, (_, byte) => byte);
  const large = new Uint8Array(300_000).fill(7);
  const timeMs = Date.now() - 12_345;
  await queue.publish([
    { id: "one", body: odd, records: '{"marks":["é"],"rows":"0:1"}', timeMs },
    { body: new Uint8Array(0) },
    { id: "three", body: large, timeMs: 1 },
  ]);
  const [first, second, third] = await take(scene, await queue.consume(10), 3);
  expect({ ...first, body: textOf(first?.body ?? large) }).toEqual({
    ...{ id: "one", body: textOf(odd), records: '{"marks":["é"],"rows":"0:1"}', timeMs },
    ...{ number: first?.number, attempts: 0 },
  });
  expect({ id: second?.id, records: second?.records, size: second?.body.length }).toEqual({
    id: undefined,
    records: undefined,
    size: 0,
  });
  expect({ timeMs: third?.timeMs, same: textOf(third?.body ?? odd) === textOf(large) }).toEqual({
    timeMs: 1,
    same: true,
  });
}

async function keepsOrder(scene: QueueScene): Promise<void> {
  const texts = Array.from({ length: 50 }, (_, number) => `${number}`);
  await scene.queue.publish(texts.slice(0, 20).map(message));
  await scene.queue.publish(texts.slice(20).map(message));
  await scene.queue.close();
  const again = await scene.other();
  const taken = await take(scene, await again.consume(100), texts.length);
  scene.expect(textsOf(taken)).toEqual(texts);
  const numbers = taken.map(({ number }) => number);
  scene.expect(numbers.every((number, index) => index === 0 || number > (numbers[index - 1] ?? number))).toEqual(true);
}

async function publishesManyAtOnce(scene: QueueScene): Promise<void> {
  const texts = Array.from({ length: 40 }, (_, number) => `${number}`);
  await Promise.all(texts.map((text) => scene.queue.publish([message(text), message(`${text}, more`)])));
  const taken = await take(scene, await scene.queue.consume(100), 80);
  scene.expect(textsOf(taken).toSorted()).toEqual(texts.flatMap((text) => [text, `${text}, more`]).toSorted());
}

async function tellsDepth(scene: QueueScene): Promise<void> {
  const { queue, expect } = scene;
  await queue.publish([message("a"), message("b"), message("c")]);
  expect(await queue.depth()).toEqual({ waiting: 3, setAside: 0, consumers: 0 });
  const consumer = await queue.consume(1);
  const [first] = await take(scene, consumer, 1);
  if (first === undefined) throw new Error("there is no first");
  await queue.setAside(first, "for a test");
  consumer.acknowledge(first, "alone");
  await take(scene, consumer, 1);
  expect(await queue.depth()).toEqual({ waiting: 1, setAside: 1, consumers: 1 });
}
