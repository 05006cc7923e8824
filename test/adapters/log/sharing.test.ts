import { describe, expect, it } from "vitest";
import { readAddress } from "../../../src/adapters/log/address.ts";
import { Folder } from "../../../src/adapters/log/folder.ts";
import { Membership } from "../../../src/adapters/log/membership.ts";
import { parsePlace } from "../../../src/core/place.ts";
import type { Assignment, Log } from "../../../src/ports/log.ts";
import { Scene, until } from "./scene.ts";

/** Takes part in a group, and notes what it is told. */
class Part {
  readonly told: string[] = [];
  readonly #stop = new AbortController();
  readonly #ended: Promise<void>;

  constructor(log: Log, group = "group") {
    this.#ended = this.#follow(log, group);
  }

  async #follow(log: Log, group: string): Promise<void> {
    for await (const lanes of log.assignments(group, this.#stop.signal)) this.told.push(namesOf(lanes));
  }

  async untilTold(...names: string[]): Promise<void> {
    await until(`${names.join(", ")} and not ${this.told.join(", ")}`, () => this.told.join() === names.join());
  }

  async leave(): Promise<void> {
    this.#stop.abort();
    await this.#ended;
  }
}

function namesOf(lanes: Assignment): string {
  return lanes.length === 0 ? "nothing" : lanes.map(({ name }) => name).join("");
}

const leaseMs = 4_000;

describe("the members of a group", () => {
  it("lose their lanes when they are not heard of, and are told so before they get some again", async () => {
    await using one = new Scene();
    await using other = new Scene();
    const [clock, otherClock] = [one.stopClock(), other.stopClock()];
    const late = new Part(await one.open("lanes=4"));
    await late.untilTold("0123");
    const alive = new Part(await other.open("", one.folder));
    await late.untilTold("0123", "01");
    await alive.untilTold("23");
    // Its clock stands still, as if it did itself.
    otherClock.turn(leaseMs + 1_000);
    await alive.untilTold("23", "0123");
    await late.untilTold("0123", "01", "nothing");
    clock.turn(leaseMs + 1_000);
    await late.untilTold("0123", "01", "nothing", "23");
    await alive.untilTold("23", "0123", "01");
    await alive.leave();
    await late.leave();
    await one.close();
    await other.close();
  });

  it("keep their lanes however the clock on the wall is set", async () => {
    await using scene = new Scene();
    const clock = scene.stopClock();
    const parts = [new Part(await scene.open("lanes=2")), new Part(await scene.open())];
    await until("both to have a lane", () => parts.every(({ told }) => told.at(-1)?.length === 1));
    const told = parts.map((part) => [...part.told]);
    for (const wrongMs of [1e11, -1e11]) {
      scene.wrongMs = wrongMs;
      for (let seconds = 0; seconds < 8; seconds += 1) {
        const looks = scene.pauses;
        clock.turn(1_000);
        await until("each to look at least once more", () => scene.pauses >= looks + 4);
      }
    }
    expect(parts.map((part) => part.told)).toEqual(told);
    for (const part of parts) await part.leave();
  });

  it("do not outlive a boot", async () => {
    await using before = new Scene();
    before.stopClock().boot("first", 1e9);
    const log = await before.open("lanes=2");
    const dead = new Part(log);
    await dead.untilTold("01");
    await using after = new Scene();
    after.stopClock().boot("second", 5);
    const alive = new Part(await after.open("", before.folder));
    await alive.untilTold("01");
    await alive.leave();
    await dead.leave();
    await after.close();
  });

  it("are told of lanes that they had lost for a moment", async () => {
    await using scene = new Scene();
    await scene.open("lanes=4");
    const address = readAddress(parsePlace(`log:${scene.folder}`));
    const folder = await Folder.open(address, scene.clock, () => {});
    const other = await Folder.open(address, scene.clock, () => {});
    const stop = new AbortController();
    let look = (): void => {};
    const pause = (): Promise<void> => new Promise((resolve) => (look = resolve));
    const parts = { clock: scene.clock, context: { pause }, use: async <R>(work: (one: Folder) => R) => work(folder) };
    const membership = new Membership("group", parts, stop.signal);
    expect((await membership.next())?.length).toBe(4);
    // Between two looks of the one, another comes, has half of the lanes, and goes.
    const lanes = ["0", "1", "2", "3"];
    expect(other.meeting.beat("group", "another", lanes).map(({ name }) => name)).toEqual(["2", "3"]);
    other.meeting.leave("group", "another", lanes);
    look();
    expect(namesOf((await membership.next()) ?? [])).toBe("01");
    expect(namesOf((await membership.next()) ?? [])).toBe("0123");
    stop.abort();
    look();
    expect(await membership.next()).toBeUndefined();
    await membership.ended;
    await Promise.all([folder.close(), other.close()]);
  });
});
