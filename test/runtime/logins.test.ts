import { beforeEach, describe, expect, it } from "vitest";
import type { StoreEntry } from "../../src/ports/store.ts";
import { LoginMemory } from "../../src/runtime/login-memory.ts";
import { TooManyLogins, Users } from "../../src/runtime/users.ts";
import { ada, cheap, seen, Shelf, start } from "./shelf.ts";

let shelf: Shelf;
let time: number;
let users: Users;
beforeEach(() => {
  shelf = new Shelf();
  time = start;
  users = new Users(shelf, { now: () => time, cost: cheap });
});

describe("a login that was right", () => {
  beforeEach(async () => {
    await users.add(ada);
    await users.verify("ada", "correct horse");
    shelf.gets = 0;
  });

  it("is not computed again, and the store is looked at once a second", async () => {
    const { kept } = shelf;
    const { version } = kept.get("user/ada") as StoreEntry;
    shelf.damage("ada");
    for (let ms = 0; ms < 3_000; ms += 100) {
      time = start + ms;
      expect(await users.verify("ada", "correct horse")).toEqual(seen);
    }
    expect(kept.get("user/ada")?.version).toBe(version);
    expect(shelf.gets).toBe(2);
  });

  it("is computed again after five minutes", async () => {
    shelf.damage("ada");
    time += 5 * 60_000 - 1;
    expect(await users.verify("ada", "correct horse")).toEqual(seen);
    time += 1;
    await expect(users.verify("ada", "correct horse")).rejects.toThrow("damaged");
  });

  it("does not help another password", async () => {
    expect(await users.verify("ada", "correct horsf")).toBeUndefined();
    expect(await users.verify("ada", "correct horse")).toEqual(seen);
  });

  it.each([
    { what: "removed", change: () => users.remove("ada") },
    {
      what: "given another password",
      change: () => users.add({ ...ada, password: "battery staple" }, { replace: true }),
    },
  ])("counts no longer than a second once the user was $what", async ({ change }) => {
    time += 500;
    await change();
    time += 500;
    expect(await users.verify("ada", "correct horse")).toBeUndefined();
    expect(await users.verify("ada", "correct horse")).toBeUndefined();
  });

  it("counts with the new role a second after the user was given it", async () => {
    await users.add({ ...ada, role: "reader" }, { replace: true });
    time += 1_000;
    expect(await users.verify("ada", "correct horse")).toEqual({ ...seen, role: "reader" });
  });

  it("does not count for a user who was removed and added again with another password", async () => {
    await users.remove("ada");
    await users.add({ ...ada, password: "battery staple" });
    time += 1_000;
    expect(await users.verify("ada", "correct horse")).toBeUndefined();
  });

  it("shares one look among those who come at once", async () => {
    time += 1_000;
    const all = await Promise.all(Array.from({ length: 100 }, () => users.verify("ada", "correct horse")));
    expect(all).toEqual(all.map(() => seen));
    expect(shelf.gets).toBe(1);
  });

  it("does not count while the store is away, and counts when it is back", async () => {
    time += 1_000;
    shelf.onGet = async () => {
      throw new Error("away");
    };
    await expect(users.verify("ada", "correct horse")).rejects.toThrow("away");
    shelf.onGet = async () => undefined;
    shelf.damage("ada");
    expect(await users.verify("ada", "correct horse")).toEqual(seen);
  });

  it("does not last longer when the clock is set back", async () => {
    time -= 3_600_000;
    shelf.damage("ada");
    await expect(users.verify("ada", "correct horse")).rejects.toThrow("damaged");
  });
});

describe("the memory of logins", () => {
  it("has room for a thousand names, and forgets the oldest", async () => {
    const memory = new LoginMemory<number>({ now: () => time, versionOf: async () => 1 });
    const tagOf = (index: number): Uint8Array => memory.tag(`n${index}`, "password");
    for (let index = 0; index <= 1_000; index += 1) {
      memory.remember(`n${index}`, index, { tag: tagOf(index), version: 1, seenAt: time });
    }
    expect(await memory.recall("n0", tagOf(0))).toBeUndefined();
    expect(await memory.recall("n1", tagOf(1))).toBe(1);
    expect(await memory.recall("n1000", tagOf(1_000))).toBe(1_000);
  });

  it("has a key of its own, and takes no two logins for one", () => {
    const options = { now: () => time, versionOf: async () => 1 };
    const [one, another] = [new LoginMemory(options), new LoginMemory(options)];
    expect(one.tag("a", "b")).toEqual(one.tag("a", "b"));
    expect(one.tag("a", "b")).not.toEqual(another.tag("a", "b"));
    expect(one.tag("ab", "c")).not.toEqual(one.tag("a", "bc"));
  });
});

describe("logins that must be computed", () => {
  /** Holds every read of the store, and so every computation, until it is let go. */
  function holdReads(): { most: () => number; letGo: () => void } {
    let [now, most] = [0, 0];
    const { promise, resolve } = Promise.withResolvers<undefined>();
    shelf.onGet = async () => {
      now += 1;
      most = Math.max(most, now);
      await promise;
      now -= 1;
    };
    return { most: () => most, letGo: () => resolve(undefined) };
  }

  it("are two at a time, thirty-two wait, and more are refused at once", async () => {
    await users.add({ ...ada, name: "eve" });
    await users.add(ada);
    await users.verify("eve", "correct horse");
    const held = holdReads();
    const guesses = Array.from({ length: 40 }, (_, index) => users.verify("ada", `guess number ${index}`));
    const outcomes = Promise.allSettled(guesses);
    // Who is known meanwhile is let in.
    expect(await users.verify("eve", "correct horse")).toMatchObject({ name: "eve" });
    await expect(users.verify("ada", "correct horse")).rejects.toThrow(TooManyLogins);
    held.letGo();
    const settled = await outcomes;
    expect(settled.filter(({ status }) => status === "fulfilled")).toHaveLength(34);
    const refused = settled.flatMap((one) => (one.status === "rejected" ? [one.reason as unknown] : []));
    expect(refused).toHaveLength(6);
    for (const reason of refused) expect(reason).toBeInstanceOf(TooManyLogins);
    expect(held.most()).toBe(2);
    expect(await users.verify("ada", "correct horse")).toEqual(seen);
  });

  it("are computed once however many come at once with the same password, right or wrong", async () => {
    await users.add(ada);
    for (const password of ["correct horse", "wrong password"]) {
      shelf.gets = 0;
      const all = await Promise.all(Array.from({ length: 200 }, () => users.verify("ada", password)));
      expect(new Set(all.map((user) => user?.name))).toEqual(
        new Set([password === "wrong password" ? undefined : "ada"]),
      );
      expect(shelf.gets).toBeLessThanOrEqual(2);
    }
  });

  it("are not let in when the user is removed meanwhile, nor remembered", async () => {
    await users.add(ada);
    shelf.onGet = async () => {
      shelf.onGet = async () => undefined;
      shelf.kept.delete("user/ada");
    };
    expect(await users.verify("ada", "correct horse")).toBeUndefined();
    expect(await users.verify("ada", "correct horse")).toBeUndefined();
  });

  it("have the role that the user is given meanwhile", async () => {
    await users.add(ada);
    shelf.onGet = async () => {
      shelf.onGet = async () => undefined;
      await users.add({ ...ada, role: "reader" }, { replace: true });
    };
    expect(await users.verify("ada", "correct horse")).toMatchObject({ role: "reader" });
  });

  it("leave room again when the store fails", async () => {
    await users.add(ada);
    shelf.onGet = async () => {
      throw new Error("away");
    };
    for (let attempt = 0; attempt < 50; attempt += 1) {
      await expect(users.verify("ada", "correct horse")).rejects.toThrow("away");
    }
    shelf.onGet = async () => undefined;
    expect(await users.verify("ada", "correct horse")).toEqual(seen);
  });

  it("cost as much for a name that is not there", async () => {
    users = new Users(shelf, { now: () => time, cost: { N: 2 ** 14, r: 8, p: 1 } });
    await users.add(ada);
    // Work and not time: on a busy machine everything is late.
    const workOf = async (name: string): Promise<number> => {
      const spent: number[] = [];
      for (let attempt = 0; attempt < 5; attempt += 1) {
        const before = process.cpuUsage();
        await users.verify(name, "wrong password");
        const { user, system } = process.cpuUsage(before);
        spent.push(user + system);
      }
      return Math.min(...spent);
    };
    const [known, unknown] = [await workOf("ada"), await workOf("eve")];
    expect(unknown / known).toBeGreaterThan(0.5);
    expect(unknown / known).toBeLessThan(2);
  });
});
