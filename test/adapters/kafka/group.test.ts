import { afterAll, beforeAll, expect, test } from "vitest";
import type { Assignment, Log } from "../../../src/ports/log.ts";
import { type KafkaServer, startKafka } from "../../servers/kafka.ts";
import { describeWith } from "../../servers/not-run.ts";
import { lanesIn, newName, recordOf, recreateTopic, Scene, startMember, take, thrown, until } from "./scene.ts";

/** The shortest session that brokers allow unless they are told otherwise. */
const sessionMs = 6_000;
const session = `session_ms=${sessionMs}`;

describeWith("kafka", "sharing the lanes of Kafka", () => {
  let server: KafkaServer;
  let scene: Scene;

  beforeAll(async () => {
    server = await startKafka();
    scene = new Scene(server);
  });
  afterAll(async () => {
    await scene[Symbol.asyncDispose]();
    await server.stop();
  });

  /** One that takes part, with all that it was assigned. */
  class Member {
    readonly assignments: Assignment[] = [];
    readonly ended: Promise<unknown>;
    readonly #stop = new AbortController();

    constructor(log: Log, group: string) {
      this.ended = this.#run(log, group).catch((error: unknown) => error);
    }

    get lanes(): string[] {
      return (this.assignments.at(-1) ?? []).map(({ name }) => name);
    }

    stop(): void {
      this.#stop.abort();
    }

    async #run(log: Log, group: string): Promise<void> {
      for await (const assignment of log.assignments(group, this.#stop.signal)) this.assignments.push(assignment);
    }
  }

  async function join(topic: string, group: string, options = session): Promise<Member> {
    return new Member(await scene.open(topic, options), group);
  }

  async function leave(...members: readonly Member[]): Promise<void> {
    for (const member of members) member.stop();
    expect(await Promise.all(members.map(({ ended }) => ended))).toEqual(members.map(() => undefined));
  }

  /** Each lane is one member's, and none has more than one lane above another. */
  function isShared(members: readonly { readonly lanes: readonly string[] }[], lanes: number): boolean {
    const counts = members.map((member) => member.lanes.length);
    const all = members.flatMap((member) => member.lanes);
    return new Set(all).size === lanes && all.length === lanes && Math.max(...counts) - Math.min(...counts) <= 1;
  }

  async function create(topic: string, partitions: number): Promise<void> {
    await scene.open(topic, `partitions=${partitions}`);
  }

  test("one has all lanes; a second and a third take their share, and nothing else changes hands", async () => {
    const [topic, group] = [newName(), newName("group")];
    await create(topic, 6);
    const first = await join(topic, group);
    await until("the first has all", () => isShared([first], 6));
    expect(first.assignments[0]?.map(({ name, start, end }) => [name, start, end])).toEqual(
      ["0", "1", "2", "3", "4", "5"].map((name) => [name, 0n, 0n]),
    );
    const second = await join(topic, group);
    await until("two share", () => isShared([first, second], 6));
    const [had, had2] = [first.lanes, second.lanes];
    const third = await join(topic, group);
    await until("three share", () => isShared([first, second, third], 6));
    expect(had).toEqual(expect.arrayContaining(first.lanes));
    expect(had2).toEqual(expect.arrayContaining(second.lanes));
    // Whoever lost lanes was told once, and nobody was told to stop what it went on with.
    for (const { assignments } of [first, second]) {
      for (const [index, assignment] of assignments.entries()) {
        if (index > 1) expect(assignment.length).toBeGreaterThan(0);
      }
    }
    await leave(second);
    await until("what was left is taken over", () => isShared([first, third], 6), 5_000);
    await leave(first, third);
  });

  test("more members than lanes: those without a lane are told so", async () => {
    const [topic, group] = [newName(), newName("group")];
    await create(topic, 1);
    const members = [await join(topic, group), await join(topic, group)];
    await until("one has it", () => isShared(members, 1) && members.every(({ assignments }) => assignments.length > 0));
    await leave(...members);
  });

  test("closing the log leaves the group at once", async () => {
    const [topic, group] = [newName(), newName("group")];
    await create(topic, 4);
    const log = await scene.open(topic, "session_ms=300000");
    const first = new Member(log, group);
    const second = await join(topic, group, "session_ms=300000");
    await until("two share", () => isShared([first, second], 4));
    const begunAt = Date.now();
    await log.close();
    expect(await first.ended).toBeUndefined();
    await until("the other has all", () => isShared([second], 4));
    expect(Date.now() - begunAt).toBeLessThan(5_000);
    await leave(second);
  });

  test("a process that is killed loses its lanes when its session ends", async () => {
    const [topic, group] = [newName(), newName("group")];
    await create(topic, 4);
    const other = await join(topic, group);
    const child = startMember(`${server.url}/${topic}?${session}`, group);
    await child.event((event) => lanesIn(event)?.length === 2);
    await until("two share", () => other.lanes.length === 2);
    const begunAt = Date.now();
    child.kill("SIGKILL");
    await until("the other has all", () => other.lanes.length === 4);
    expect(Date.now() - begunAt).toBeGreaterThan(sessionMs / 2);
    await leave(other);
  });

  test("a process that stood still for longer than its session loses its lanes, and comes back by itself", async () => {
    const [topic, group] = [newName(), newName("group")];
    await create(topic, 4);
    const other = await join(topic, group);
    const child = startMember(`${server.url}/${topic}?${session}`, group);
    await child.event((event) => lanesIn(event)?.length === 2);
    await until("two share", () => other.lanes.length === 2);
    child.kill("SIGSTOP");
    await until("the other has all", () => other.lanes.length === 4);
    child.kill("SIGCONT");
    // It is told first that it has nothing any more, though it may get the same lanes again.
    await child.event((event) => lanesIn(event)?.length === 0);
    await child.event((event) => lanesIn(event)?.length === 2, 2);
    await until("two share again", () => other.lanes.length === 2);
    child.kill("SIGTERM");
    expect((await child.ended).code).toBe(0);
    await until("the other has all again", () => other.lanes.length === 4, 5_000);
    await leave(other);
  }, 60_000);

  test("partitions that are added to the topic show up, and records go to them", async () => {
    const [topic, group] = [newName(), newName("group")];
    await create(topic, 2);
    const members = [await join(topic, group), await join(topic, group)];
    await until("two share", () => isShared(members, 2));
    await scene.admin((admin) => admin.createPartitions({ topics: [{ name: topic, count: 6 }] }));
    await until("the new ones are shared", () => isShared(members, 6));
    const log = await scene.open(topic);
    await log.append(Array.from({ length: 200 }, (_, number) => recordOf(number, 200)));
    expect((await log.lanes()).filter(({ end }) => end > 0n).length).toBe(6);
    await leave(...members);
  });

  test("a topic that is made anew has its lanes with another incarnation, after they were taken away", async () => {
    const [topic, group] = [newName(), newName("group")];
    await create(topic, 2);
    const member = await join(topic, group);
    await until("it has all", () => member.lanes.length === 2);
    const before = member.assignments.at(-1)?.[0]?.incarnation;
    await scene.admin((admin) => admin.deleteTopics({ topics: [topic] }));
    await until("they are taken away", () => member.lanes.length === 0);
    await create(topic, 2);
    await until("they are back", () => member.lanes.length === 2);
    const after = member.assignments.at(-1)?.map(({ incarnation }) => incarnation);
    expect(new Set(after).size).toBe(1);
    expect(after?.[0]).not.toBe(before);
    await leave(member);
  }, 60_000);

  test("a topic that is deleted and made anew at once is seen too", async () => {
    const [topic, group] = [newName(), newName("group")];
    await create(topic, 2);
    const member = await join(topic, group);
    await until("it has all", () => member.lanes.length === 2);
    const [before] = member.assignments;
    await recreateTopic(server.url, topic, 2);
    const last = () => member.assignments.at(-1);
    await until(
      "the lanes are others",
      () => last()?.length === 2 && last()?.[0]?.incarnation !== before?.[0]?.incarnation,
    );
    await leave(member);
  }, 60_000);

  test("a group outlives the broker that keeps it", async () => {
    const [topic, group] = [newName(), newName("group")];
    await create(topic, 4);
    const members = [await join(topic, group), await join(topic, group)];
    await until("two share", () => isShared(members, 4));
    await server.kill9();
    await server.start();
    const third = await join(topic, group);
    await until("three share", () => isShared([...members, third], 4));
    await leave(...members, third);
  }, 90_000);

  test("what is settled is told to Kafka now and then, as a hint, and nothing is read from it", async () => {
    const [topic, group] = [newName(), newName("group")];
    await create(topic, 2);
    const log = await scene.open(topic, session);
    await log.append(Array.from({ length: 50 }, (_, number) => recordOf(number)));
    const member = new Member(log, group);
    await until("it has all", () => member.lanes.length === 2);
    const lanes = await log.lanes();
    for (const lane of lanes) {
      for (let offset = 1n; offset <= lane.end; offset += 1n) await log.settle(group, lane, offset);
    }
    const told = async (): Promise<unknown> => {
      const groups = await scene.admin((admin) =>
        admin.listConsumerGroupOffsets({
          groups: [{ groupId: group, topics: [{ name: topic, partitionIndexes: [0, 1] }] }],
        }),
      );
      return groups[0]?.topics[0]?.partitions.map(({ committedOffset }) => committedOffset);
    };
    const ends = lanes.map(({ end }) => end);
    await expect.poll(told, { timeout: 15_000, interval: 200 }).toEqual(ends);
    await log.settle(group, lanes[0]!, 1n);
    await log.close();
    expect(await told()).toEqual([1n, ends[1]]);
    // Another member begins where it wants to, whatever was settled.
    const other = await scene.open(topic, session);
    const [lane] = await other.lanes();
    expect(await take(other, lane!, Number(lane!.end), 0n)).toHaveLength(Number(lane!.end));
  });

  test("a group of another kind of consumers is refused, by name", async () => {
    const { Consumer } = await import("@platformatic/kafka");
    const [topic, group] = [newName(), newName("group")];
    await create(topic, 1);
    const bootstrapBrokers = [server.url.replace("kafka://", "")];
    const consumer = new Consumer({ clientId: "other", groupId: group, bootstrapBrokers });
    consumer.topics.trackAll(topic);
    await consumer.joinGroup({});
    const log = await scene.open(topic);
    const error = log.explain(
      await thrown(async () => {
        for await (const assignment of log.assignments(group, new AbortController().signal))
          expect(assignment).toEqual([]);
      }),
    );
    expect(error).toMatchObject({ code: "SINK_REFUSED" });
    expect(error.message).toContain(group);
    await consumer.close(true);
  });
});
