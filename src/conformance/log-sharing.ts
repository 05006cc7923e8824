import type { Log, LogLane } from "../ports/log.ts";
import {
  errorOf,
  hook,
  type LogBehaviour,
  type LogScene,
  type Member,
  namesOf,
  readEverything,
  record,
  soon,
  untilShared,
  valuesOf,
  withMembers,
} from "./log-scene.ts";

/** The processes of a group share all lanes, whoever comes and goes. */
export const sharingBehaviours: readonly LogBehaviour[] = [
  { name: "gives one process all lanes, as they are", run: givesAll },
  { name: "shares all lanes among two processes", run: sharesAmongTwo },
  { name: "shares all lanes among more processes than there are lanes", run: sharesAmongMany },
  { name: "gives each group all lanes", run: keepsGroupsApart },
  { name: "hands over the lanes of one whose signal aborts", run: handsOverAborted },
  { name: "hands over the lanes of one that closes", run: handsOverClosed },
  { name: "hands over the lanes of one that is killed", run: handsOverKilled },
  { name: "leaves the lanes of those who stay where they are as others come and go", run: staysCalm },
  { name: "ends without an error when the signal aborts, also before", run: endsQuietly },
  { name: "settles again, backwards, and for groups and lanes that nobody reads", run: settlesAnything },
  { name: "reads what a group has settled", run: readsSettled },
];

const hasSome = ({ lanes }: Member): boolean => lanes.length > 0;

async function givesAll(scene: LogScene): Promise<void> {
  await scene.log.append(Array.from({ length: 50 }, (_, index) => record(`${index}`, `key ${index}`)));
  await withMembers(async (join) => {
    const member = join(scene, scene.log);
    await untilShared(scene, [member]);
    const assigned = [...(member.changes.at(-1) ?? [])].sort((a, b) => Number(a.name) - Number(b.name));
    scene.expect({ lanes: assigned, repeated: member.repeated }).toEqual({
      lanes: await scene.log.lanes(),
      repeated: false,
    });
  });
}

async function sharesAmongTwo(scene: LogScene): Promise<void> {
  await withMembers(async (join) => {
    const first = join(scene, scene.log);
    await untilShared(scene, [first]);
    const second = join(scene, await scene.other());
    await untilShared(scene, [first, second], hasSome);
    scene.expect([first.repeated, second.repeated]).toEqual([false, false]);
  });
}

async function sharesAmongMany(scene: LogScene): Promise<void> {
  const lanes = await scene.log.lanes();
  await withMembers(async (join) => {
    const others = Math.min(lanes.length, 8);
    const logs = [scene.log, ...(await several(scene, others))];
    const members = logs.map((log) => join(scene, log));
    await untilShared(scene, members, ({ lanes: some }) => some.length <= Math.ceil(lanes.length / others));
    await Promise.all(members.slice(1).map((member) => member.leave()));
    await untilShared(scene, members.slice(0, 1));
  });
}

async function several(scene: LogScene, count: number): Promise<Log[]> {
  return Promise.all(Array.from({ length: count }, () => scene.other()));
}

async function keepsGroupsApart(scene: LogScene): Promise<void> {
  await withMembers(async (join) => {
    const [one, other] = [join(scene, scene.log, "one"), join(scene, await scene.other(), "other")];
    const same = join(scene, scene.log, "the same log");
    for (const member of [one, other, same]) await untilShared(scene, [member]);
  });
}

async function handsOver(scene: LogScene, go: (member: Member, log: Log) => Promise<void>): Promise<void> {
  await withMembers(async (join) => {
    const log = await scene.other();
    const [stays, goes] = [join(scene, scene.log), join(scene, log)];
    await untilShared(scene, [stays, goes], hasSome);
    await go(goes, log);
    await untilShared(scene, [stays]);
  });
}

async function handsOverAborted(scene: LogScene): Promise<void> {
  await handsOver(scene, (member) => member.leave());
}

async function handsOverClosed(scene: LogScene): Promise<void> {
  await handsOver(scene, async (member, log) => {
    await soon(scene, log.close(), () => "a log to close that takes part in a group");
    await member.ended();
  });
}

async function handsOverKilled(scene: LogScene): Promise<void> {
  await withMembers(async (join) => {
    const process = await hook(scene, "join")("group");
    const stays = join(scene, scene.log);
    const all = (await scene.log.lanes()).length;
    // The other one takes part for as long as this one has not everything.
    await soon(scene, untilSome(stays, all), () => "some of the lanes, and not all of them");
    await process.kill();
    await untilShared(scene, [stays]);
  });
}

async function untilSome(member: Member, all: number): Promise<void> {
  while (member.lanes.length === 0 || member.lanes.length === all) await member.change();
}

async function staysCalm(scene: LogScene): Promise<void> {
  await withMembers(async (join) => {
    const first = join(scene, scene.log);
    await untilShared(scene, [first]);
    const second = join(scene, await scene.other());
    await untilShared(scene, [first, second], hasSome);
    const [before, mine] = [first.lanes, second.lanes];
    await join(scene, await scene.other(), "another group").change();
    scene.expect([first.lanes, second.lanes]).toEqual([before, mine]);
    await second.leave();
    await untilShared(scene, [first]);
    // What it had it has still: nobody took a lane away that went to nobody.
    scene.expect(before.filter((name) => !first.lanes.includes(name))).toEqual([]);
    scene.expect(first.changes.filter((lanes) => lanes.length === 0).length <= 1).toEqual(true);
  });
}

async function endsQuietly(scene: LogScene): Promise<void> {
  await withMembers(async (join) => {
    const member = join(scene, scene.log);
    await untilShared(scene, [member]);
    await member.leave();
  });
  const yielded: string[][] = [];
  const take = async (): Promise<void> => {
    for await (const lanes of scene.log.assignments("group", AbortSignal.abort(new Error("a reason")))) {
      yielded.push(namesOf(lanes));
    }
  };
  await soon(scene, take(), () => "the end of assignments whose signal was aborted before");
  scene.expect(yielded).toEqual([]);
}

async function settlesAnything(scene: LogScene): Promise<void> {
  await scene.log.append(Array.from({ length: 50 }, (_, index) => record(`${index}`, `key ${index}`)));
  const lanes = await scene.log.lanes();
  const each = async (settle: (lane: LogLane) => Promise<void>): Promise<void> => {
    for (const lane of lanes) await settle(lane);
  };
  const settleAll = async (): Promise<void> => {
    await each((lane) => scene.log.settle("group", lane, lane.end));
    await each((lane) => scene.log.settle("group", lane, lane.end));
    await each((lane) => scene.log.settle("group", lane, lane.start));
    await each((lane) => scene.log.settle("nobody's", lane, lane.end + 5n));
    await each((lane) => scene.log.settle("group", { ...lane, incarnation: "another" }, lane.end));
  };
  scene.expect(await errorOf(settleAll())).toEqual(undefined);
  scene.expect((await readEverything(scene)).length).toEqual(50);
}

async function readsSettled(scene: LogScene): Promise<void> {
  const values = Array.from({ length: 50 }, (_, index) => `${index}`);
  await scene.log.append(values.map((value) => record(value, "key")));
  await withMembers(async (join) => {
    const member = join(scene, scene.log);
    await untilShared(scene, [member]);
    for (const lane of await scene.log.lanes()) await scene.log.settle("group", lane, lane.end);
    await member.leave();
    const again = join(scene, await scene.other());
    await untilShared(scene, [again]);
    const starts = (again.changes.at(-1) ?? []).map(({ start, end }) => end - start);
    scene.expect(starts.reduce((sum, count) => sum + count, 0n)).toEqual(50n);
    scene.expect(valuesOf(await readEverything(scene))).toEqual(values);
  });
}
