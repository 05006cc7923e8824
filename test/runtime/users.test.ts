import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { fileStore } from "../../src/adapters/file/store.ts";
import { parsePlace } from "../../src/core/place.ts";
import type { Store, StoreEntry } from "../../src/ports/store.ts";
import { hashPassword } from "../../src/runtime/password.ts";
import { type NewUser, type Role, Users } from "../../src/runtime/users.ts";
import { ada, cheap, seen, Shelf, start } from "./shelf.ts";

let shelf: Shelf;
let time: number;
let users: Users;
beforeEach(() => {
  shelf = new Shelf();
  time = start;
  users = new Users(shelf, { now: () => time, cost: cheap });
});

describe("users", () => {
  it("are let in with their password and no other", async () => {
    expect(await users.add(ada)).toEqual(seen);
    expect(await users.verify("ada", "correct horse")).toEqual(seen);
    for (const wrong of ["correct horsf", "correct hors", "correct horse ", "Correct horse", "", "x".repeat(10_000)]) {
      expect(await users.verify("ada", wrong)).toBeUndefined();
    }
    for (const nobody of ["Ada", "ad", "ada ", "user/ada", "", "eve", "__proto__", "a".repeat(65)]) {
      expect(await users.verify(nobody, "correct horse")).toBeUndefined();
    }
  });

  it("are kept under user/NAME with a hash, and the password nowhere", async () => {
    await new Users(shelf, { now: () => time }).add(ada);
    const { key, value } = shelf.kept.get("user/ada") as StoreEntry;
    expect({ key, value }).toEqual({
      key: "user/ada",
      value: { ...seen, password: expect.stringMatching(/^scrypt\$32768\$8\$3\$[\w-]{22}\$[\w-]{43}$/) },
    });
    expect(JSON.stringify(value)).not.toContain("correct");
  });

  it("with one password have different hashes", async () => {
    const [one, another] = [await hashPassword("correct horse", cheap), await hashPassword("correct horse", cheap)];
    expect(one).not.toBe(another);
  });

  it("are listed by name", async () => {
    for (const name of ["b", "a", "B", "_", "c@d.example"]) await users.add({ ...ada, name });
    await shelf.put("lease/x", 1);
    expect((await users.list()).map(({ name }) => name)).toEqual(["B", "_", "a", "b", "c@d.example"]);
  });

  it("may type one letter in two ways", async () => {
    await users.add({ ...ada, password: "caf\u00e9 cr\u00e8me" });
    expect(await users.verify("ada", "cafe\u0301 cre\u0300me")).toEqual(seen);
  });

  it.each<Partial<Record<keyof NewUser, string>>>([
    ...["", "a b", "a/b", "a:b", "é", "a\n", "../x", "a".repeat(65)].map((name) => ({ name })),
    ...["", "x".repeat(257), "line\nbreak", "NUL\0inside", "half \ud83d half"].map((password) => ({
      password,
    })),
    ...["", "root", "Admin"].map((role) => ({ role })),
  ])("cannot be added with %j", async (wrong) => {
    const added = users.add({ ...ada, ...wrong } as NewUser);
    await expect(added).rejects.toThrow(expect.objectContaining({ code: "USER_INVALID" }));
    if (wrong.password !== undefined && wrong.password !== "") {
      await expect(added).rejects.not.toThrow(wrong.password);
    }
    expect(shelf.kept.size).toBe(0);
  });

  it("are not added twice, not even at once", async () => {
    const adding = [users.add(ada), users.add({ ...ada, role: "reader" })];
    const outcomes = await Promise.allSettled(adding);
    expect(outcomes.map(({ status }) => status).toSorted()).toEqual(["fulfilled", "rejected"]);
    await expect(users.add(ada)).rejects.toThrow(
      expect.objectContaining({ code: "USER_INVALID", remedy: expect.stringContaining("--replace") }),
    );
  });

  it("get another password and role with replace, and stay as old as they are", async () => {
    await users.add(ada);
    time += 86_400_000;
    const changed = await users.add({ name: "ada", role: "reader", password: "battery staple" }, { replace: true });
    expect(changed).toEqual({ ...seen, role: "reader" });
    expect(await users.verify("ada", "correct horse")).toBeUndefined();
    expect(await users.verify("ada", "battery staple")).toEqual(changed);
    expect(await users.add({ ...ada, name: "eve" }, { replace: true })).toMatchObject({ name: "eve" });
  });

  it("are removed, and one who is not there is not", async () => {
    await users.add(ada);
    await expect(users.remove("adda")).rejects.toThrow(
      expect.objectContaining({ code: "USER_INVALID", remedy: expect.stringContaining("Did you mean ada?") }),
    );
    await users.remove("ada");
    expect(await users.list()).toEqual([]);
    expect(await users.get("ada")).toBeUndefined();
    await expect(users.remove("ada")).rejects.toThrow("no user");
  });

  it("whose entry is damaged are told of, and can be set anew or removed", async () => {
    await users.add(ada);
    shelf.damage("ada");
    const damaged = expect.objectContaining({ code: "USER_INVALID", message: expect.stringContaining("damaged") });
    await expect(users.verify("ada", "correct horse")).rejects.toThrow(damaged);
    await expect(users.list()).rejects.toThrow(damaged);
    await users.add(ada, { replace: true });
    expect(await users.verify("ada", "correct horse")).toEqual(seen);
    shelf.damage("ada");
    await users.remove("ada");
    expect(await users.list()).toEqual([]);
  });

  it("may do what those of a lower role may", () => {
    const roles: readonly Role[] = ["reader", "writer", "admin"];
    const table = roles.map((role) => roles.map((needed) => users.allows({ ...seen, role }, needed)));
    expect(table).toEqual([
      [true, false, false],
      [true, true, false],
      [true, true, true],
    ]);
  });
});

describe("several processes", () => {
  let folder: string;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), "millrace-users-"));
  });
  afterEach(() => rmSync(folder, { recursive: true }));

  it("share the users of a file: who is removed in one is let in by no other a second later", async () => {
    const open = async (): Promise<Store> => {
      const store = fileStore(parsePlace(`file:${join(folder, "users.db")}`), {
        engine: { connect: () => Promise.reject(new Error("unused")), uniqueName: (prefix) => prefix },
        now: () => Date.now(),
        pause: (ms) => new Promise((resolve) => setTimeout(resolve, ms)),
        notice: () => undefined,
      });
      await store.open();
      return store;
    };
    const [one, another] = [await open(), await open()];
    try {
      const [here, there] = [one, another].map((store) => new Users(store, { now: () => time, cost: cheap }));
      await here?.add(ada);
      expect(await there?.verify("ada", "correct horse")).toEqual(seen);
      await here?.remove("ada");
      time += 1_000;
      expect(await there?.verify("ada", "correct horse")).toBeUndefined();
    } finally {
      await one.close();
      await another.close();
    }
  });
});
