import { spawn } from "node:child_process";
import { appendFileSync, chmodSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { fileStore } from "../../src/adapters/file/store.ts";
import { storeConformance } from "../../src/conformance/index.ts";
import { MillraceError } from "../../src/core/error.ts";
import { parsePlace } from "../../src/core/place.ts";
import type { AdapterContext } from "../../src/ports/adapter.ts";
import type { Store } from "../../src/ports/store.ts";
import type { StepMark } from "./file-store-child.ts";

const notices: string[] = [];
let now = () => Date.now();
const context: AdapterContext = {
  engine: { connect: () => Promise.reject(new Error("a store needs no engine")), uniqueName: (prefix) => prefix },
  now: () => now(),
  pause: (ms) => new Promise((resolve) => setTimeout(resolve, ms)),
  notice: (text) => void notices.push(text),
};

const make = (path: string): Store => fileStore(parsePlace(`file:${path}`), context);

storeConformance({
  name: "file",
  api: { describe, it, expect },
  skips: {},
  create: async () => {
    const folder = mkdtempSync(join(tmpdir(), "millrace-store-"));
    const path = join(folder, "deep", "er", "store.db");
    return {
      store: make(path),
      other: async () => make(path),
      dispose: async () => rmSync(folder, { recursive: true }),
    };
  },
});

describe("a store in a file", () => {
  let folder: string;
  let path: string;
  const opened: Store[] = [];
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), "millrace-store-"));
    path = join(folder, "made", "users.db");
    notices.length = 0;
    now = () => Date.now();
  });
  afterEach(async () => {
    for (const store of opened.splice(0)) await store.close();
    rmSync(folder, { recursive: true, force: true });
  });

  const open = async (at = path): Promise<Store> => {
    const store = make(at);
    opened.push(store);
    await store.open();
    return store;
  };
  const modeOf = (at: string): string => (statSync(at).mode & 0o777).toString(8);
  const failure = async (work: Promise<unknown>): Promise<{ code: string; message: string; remedy: string }> => {
    const error = await work.then(
      () => undefined,
      (thrown: unknown) => thrown,
    );
    if (!(error instanceof MillraceError)) throw new Error("expected a MillraceError", { cause: error });
    return { code: error.code, message: error.message, remedy: error.remedy };
  };

  it("is for its owner alone, with its log and the folders that are made for it", async () => {
    const before = process.umask(0o022);
    try {
      const store = await open();
      await store.put("k", 1);
    } finally {
      process.umask(before);
    }
    const files = [path, `${path}-wal`, `${path}-shm`];
    expect([...files, join(folder, "made")].map(modeOf)).toEqual(["600", "600", "600", "700"]);
    expect(notices).toEqual([]);
  });

  it("is one file when nobody has it open", async () => {
    const [store, other] = [await open(), await open()];
    await store.put("k", { a: 1 });
    await store.close();
    await other.close();
    expect(() => statSync(`${path}-wal`)).toThrow("ENOENT");
    expect(await (await open()).get("k")).toMatchObject({ value: { a: 1 } });
  });

  it("says when it is open to all", async () => {
    await (await open()).close();
    chmodSync(path, 0o644);
    await open();
    expect(notices).toEqual([expect.stringContaining(`file:${path} is open to every user`)]);
  });

  it.each([
    ["text", "not a database at all, but long enough to be looked at".repeat(20)],
    ["something short", "x"],
  ])("does not touch a file of %s", async (_, content) => {
    path = join(folder, "notes.db");
    writeFileSync(path, content);
    expect(await failure(open())).toMatchObject({ code: "FILE_FORMAT", message: expect.stringContaining(path) });
    expect(readFileSync(path, "utf8")).toBe(content);
  });

  it("does not touch the database of another program", async () => {
    path = join(folder, "theirs.db");
    const theirs = new DatabaseSync(path);
    theirs.exec("create table theirs (id integer)");
    theirs.close();
    const before = readFileSync(path);
    const found = await failure(open());
    expect(found.code).toBe("FILE_FORMAT");
    expect(found.message).toContain("another program");
    expect(readFileSync(path).equals(before)).toBe(true);
  });

  it("refuses a store of a later version", async () => {
    await (await open()).close();
    const later = new DatabaseSync(path);
    later.exec("pragma user_version = 99");
    later.close();
    expect(await failure(open())).toMatchObject({ code: "FILE_FORMAT", message: expect.stringContaining("later") });
  });

  it("says so when it is damaged, at the first read that meets the damage", async () => {
    const store = await open();
    for (let index = 0; index < 200; index += 1) await store.put(`k${index}`, "v".repeat(500));
    await store.close();
    const bytes = readFileSync(path);
    bytes.fill(0xa5, 4096);
    writeFileSync(path, bytes);
    const damaged = await open();
    const found = await failure(damaged.get("k100"));
    expect(found.code).toBe("FILE_FORMAT");
    expect(found.message).toContain(path);
    expect(found.remedy).toContain("backup");
    expect((await failure(damaged.put("k100", 1))).code).toBe("FILE_FORMAT");
  });

  it("says so when a value is none that a store writes", async () => {
    const store = await open();
    await store.put("k", 1);
    const meddler = new DatabaseSync(path);
    meddler.exec("update millrace_store set value = 'no json'");
    meddler.close();
    expect((await failure(store.get("k"))).code).toBe("FILE_FORMAT");
  });

  it("cannot be a folder", async () => {
    expect(await failure(open(folder))).toMatchObject({ code: "FILE_NOT_A_FILE" });
  });

  it("cannot lie under a file", async () => {
    writeFileSync(join(folder, "file"), "");
    const found = await failure(open(join(folder, "file", "users.db")));
    expect(found.code).toBe("SINK_REFUSED");
  });

  it("takes an empty file for a new one, as a process leaves it that dies in between", async () => {
    path = join(folder, "empty.db");
    appendFileSync(path, "", { mode: 0o600 });
    expect(await (await open()).put("k", 1)).toBe(true);
  });

  it("waits while another process writes, and the event loop goes on", async () => {
    const store = await open();
    const rival = new DatabaseSync(path);
    rival.exec("begin immediate");
    const ticks: number[] = [];
    const timer = setInterval(() => {
      ticks.push(ticks.length);
      if (ticks.length === 5) rival.exec("commit");
    }, 20);
    try {
      expect(await store.get("k")).toBeUndefined();
      expect(await store.put("k", 1)).toBe(true);
    } finally {
      clearInterval(timer);
      rival.close();
    }
    expect(ticks.length).toBeGreaterThanOrEqual(5);
  });

  it("gives up when another process holds it for too long", async () => {
    const store = await open();
    const rival = new DatabaseSync(path);
    rival.exec("begin immediate");
    let time = 0;
    now = () => (time += 10_000);
    try {
      expect(await failure(store.put("k", 1))).toMatchObject({
        code: "SINK_BUSY",
        message: expect.stringContaining(path),
      });
    } finally {
      rival.close();
    }
  });

  it("knows no options", () => {
    expect(() => fileStore(parsePlace(`file:${path}?mode=0777`), context)).toThrow(
      expect.objectContaining({ code: "URL_INVALID" }),
    );
  });

  it("is not used before it is open, nor after", async () => {
    const store = make(path);
    await expect(store.get("k")).rejects.toThrow("not open");
    await store.open();
    await store.close();
    await store.close();
    await expect(store.put("k", 1)).rejects.toThrow("not open");
  });

  it("keeps what processes wrote that were killed at any moment, and loses no step of any", async () => {
    const child = join(import.meta.dirname, "file-store-child.ts");
    const store = await open();
    await store.put("count", 0);
    let acknowledged = 0;
    const lives = Array.from({ length: 4 }, async (_, life) => {
      const writer = spawn(process.execPath, [child, path], { stdio: ["ignore", "pipe", "inherit"] });
      const ended = new Promise((resolve) => writer.once("close", resolve));
      let steps = 0;
      writer.stdout.setEncoding("utf8").on("data", (text: string) => {
        steps += text.split("." satisfies StepMark).length - 1;
        if (steps >= 20 + 5 * life) writer.kill("SIGKILL");
      });
      await ended;
      acknowledged += steps;
    });
    await Promise.all(lives);
    const count = Number((await store.get("count"))?.value);
    // A process may die between its last step and the word about it.
    expect(count).toBeGreaterThanOrEqual(acknowledged);
    expect(count).toBeLessThanOrEqual(acknowledged + 4);
    expect(acknowledged).toBeGreaterThanOrEqual(80);
  });
});
