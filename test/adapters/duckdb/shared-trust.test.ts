import { spawnSync } from "node:child_process";
import { once } from "node:events";
import {
  chmodSync,
  chownSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { connect, createServer, type Server } from "node:net";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { frameOf } from "../../../src/adapters/duckdb/shared/frames.ts";
import { contentOf, type Greeting, ownVersions } from "../../../src/adapters/duckdb/shared/handshake.ts";
import { limit } from "../../../src/core/limit.ts";
import type { Sink } from "../../../src/ports/sink.ts";
import { HostProcess } from "./host-process.ts";
import { makeTarget, readQuery, Scene } from "./scene.ts";

let scene: Scene;
let host: HostProcess;
const servers: Server[] = [];
const folders: string[] = [];
beforeEach(async () => {
  scene = await Scene.open();
  host = new HostProcess();
});
afterEach(async () => {
  for (const server of servers.splice(0)) server.close();
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true, force: true });
  await host[Symbol.asyncDispose]();
  await scene[Symbol.asyncDispose]();
});

const isRoot = process.getuid?.() === 0;
const nobody = 65534;

function privateFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), "millrace-trust-"));
  folders.push(folder);
  return folder;
}

interface Note {
  readonly pid: number;
  readonly socket: string;
  readonly key: string;
}

const notePath = (): string => `${scene.file}.shared`;
const readNote = (): Note => JSON.parse(readFileSync(notePath(), "utf8")) as Note;

function writeNote(note: Partial<Note>): void {
  const socket = join(privateFolder(), "socket");
  writeFileSync(notePath(), JSON.stringify({ pid: host.pid, socket, key: "key", ...note }), { mode: 0o600 });
}

/** A file that another process has and does not share. */
async function held(): Promise<void> {
  const sink = await scene.opened();
  await sink.prepare(makeTarget());
  await sink.close();
  await host.hold(scene.file);
}

async function messageOf(sink: Sink): Promise<string> {
  try {
    await readQuery(sink, "select 1");
    return "no error";
  } catch (error) {
    const { code, message } = error as { code?: string; message: string };
    return `${code}: ${message}`;
  }
}

const asToday = (): string => `SINK_BUSY: duckdb:${scene.file} is being written by another process (PID ${host.pid})`;

describe("a note that was left behind", () => {
  it("does no harm: nobody has the file", async () => {
    await host.share(scene.file);
    await host.kill();
    const note = readNote();
    const sink = await scene.opened();
    await sink.prepare(makeTarget());
    expect(await readQuery(sink, "select count(*) as n from t")).toEqual([{ n: 0n }]);
    await sink.share?.();
    expect(readNote().pid).toBe(process.pid);
    await sink.close();
    expect({ note: existsSync(notePath()), folder: existsSync(dirname(note.socket)) }).toMatchObject({ note: false });
    expect(scene.rows.notices).toEqual([]);
    rmSync(dirname(note.socket), { recursive: true });
  });

  it("and its folder are swept once the process is gone, and not before", async () => {
    await host.share(scene.file);
    const folder = dirname(readNote().socket);
    const age = (): void => utimesSync(folder, 0, 0);
    const sink = scene.make(`duckdb:${scene.folder}/other.db`);
    const shareAnew = async (): Promise<void> => {
      await sink.open();
      await sink.share?.();
      await sink.close();
    };
    age();
    await shareAnew();
    expect(existsSync(folder)).toBe(true);
    await host.kill();
    age();
    await shareAnew();
    expect(existsSync(folder)).toBe(false);
  });

  it.each([
    ["is empty", ""],
    ["is cut off", '{"pid": 1, "sock'],
    ["says something else", '{"pid": "1"}'],
    ["is far too large", "x".repeat(100_000)],
  ])("and %s is none", async (_, text) => {
    await held();
    writeFileSync(notePath(), text, { mode: 0o600 });
    expect(await messageOf(scene.make())).toBe(asToday());
  });

  it("and is of another process than has the file now says nothing of that one", async () => {
    await held();
    writeNote({ pid: 1 });
    expect(await messageOf(scene.make())).toBe(asToday());
    let now = 0;
    const pause = async (): Promise<void> => {
      now += limit.retryTotalMs;
    };
    await expect(scene.make(undefined, {}, { now: () => now, pause }).open()).rejects.toMatchObject({
      ...{
        code: "SINK_BUSY",
        message: `duckdb:${scene.file} was in use by another process (PID ${host.pid}) for 120 s`,
      },
    });
    expect(scene.rows.notices).toEqual([
      `duckdb:${scene.file} is in use by another process (PID ${host.pid}); waiting for it`,
    ]);
  });

  it("and is of the process that has the file says that its socket is dead", async () => {
    await held();
    writeNote({});
    const { socket } = readNote();
    expect(await messageOf(scene.make())).toBe(`${asToday()}, which is a service that does not answer at ${socket}`);
    // A socket that nobody listens at any more.
    const left = spawnSync(process.execPath, [
      "-e",
      `require("net").createServer().listen(${JSON.stringify(socket)}, () => process.kill(process.pid, "SIGKILL"))`,
    ]);
    expect({ signal: left.signal, there: existsSync(socket) }).toEqual({ signal: "SIGKILL", there: true });
    expect(await messageOf(scene.make())).toContain("does not answer at");
  });
});

/** Someone at the end of the note who greets as this version does, but for `more`. */
async function greet(more: Partial<Greeting>): Promise<void> {
  const greeting: Greeting = { ...ownVersions(), pid: host.pid, isFull: false, ...more };
  return say(frameOf(contentOf(greeting)));
}

/** Someone at the end of the note who says so much and no more. */
async function say(bytes: Buffer): Promise<void> {
  const server = createServer((socket) => {
    socket.on("error", () => undefined);
    socket.end(bytes);
  });
  servers.push(server);
  const socket = join(privateFolder(), "socket");
  server.listen(socket);
  await once(server, "listening");
  writeNote({ socket });
}

describe("a service that cannot be worked through", () => {
  const service = (): string => `SINK_BUSY: duckdb:${scene.file} is held by a service (process ${host.pid})`;

  it("because it is of another version says which, to those who write too, without a wait", async () => {
    await held();
    const { millrace } = ownVersions();
    await greet({ millrace: "9.9.9" });
    expect(await messageOf(scene.make())).toBe(`${service()} of Millrace 9.9.9, and this is Millrace ${millrace}`);
    const pause = (): Promise<void> => Promise.reject(new Error("nothing is waited for"));
    await expect(scene.make(undefined, {}, { pause }).open()).rejects.toMatchObject({
      ...{ code: "SINK_BUSY", remedy: expect.stringContaining("upgrade the older one and restart the service") },
    });
    await greet({ protocol: 0 });
    expect(await messageOf(scene.make())).toBe(`${service()} of another build of Millrace ${millrace}`);
    await greet({ values: 1 });
    expect(await messageOf(scene.make())).toBe(`${service()} under another version of Node.js`);
  });

  it("because it has too many guests says so", async () => {
    await held();
    await greet({ isFull: true });
    expect(await messageOf(scene.make())).toBe(`${service()} through which too many others work already`);
  });

  it.each([
    ["is no Millrace", Buffer.from("HTTP/1.1 400 Bad Request\r\n\r\n")],
    ["greets otherwise", frameOf(Buffer.from("[]"))],
    ["says nothing", Buffer.alloc(0)],
  ])("because it %s does not answer", async (_, bytes) => {
    await held();
    await say(bytes);
    expect(await messageOf(scene.make())).toContain("which is a service that does not answer at");
  });
});

describe("another user", () => {
  const stranger = (): string => `${asToday()}, which may be a service of another user, who alone can work through it`;

  it.runIf(isRoot)("is not trusted to have written the note, the socket or its folder", async () => {
    await host.share(scene.file);
    const { socket } = readNote();
    for (const path of [notePath(), socket, dirname(socket)]) {
      chownSync(path, nobody, nobody);
      expect(await messageOf(scene.make())).toBe(stranger());
      chownSync(path, 0, 0);
    }
    expect(await messageOf(scene.make())).toBe("no error");
  });

  it("may not have been able to change the note or to look into the folder", async () => {
    await host.share(scene.file);
    const folder = dirname(readNote().socket);
    for (const [path, open, closed] of [
      [notePath(), 0o622, 0o600],
      [folder, 0o755, 0o700],
    ] as const) {
      chmodSync(path, open);
      expect(await messageOf(scene.make())).toBe(stranger());
      chmodSync(path, closed);
    }
    rmSync(notePath());
    symlinkSync(join(scene.folder, "elsewhere"), notePath());
    expect(await messageOf(scene.make())).toBe(stranger());
  });

  it.runIf(isRoot)("is not let in", async () => {
    await host.share(scene.file);
    const { socket } = readNote();
    const asked = spawnSync(
      process.execPath,
      ["-e", `require("net").connect(${JSON.stringify(socket)}).on("error", (error) => console.log(error.code))`],
      { uid: nobody, gid: nobody, encoding: "utf8" },
    );
    expect(asked.stdout.trim()).toBe("EACCES");
    expect(() => readNoteAs(nobody)).toThrow("EACCES");
  });
});

function readNoteAs(uid: number): void {
  chmodSync(scene.folder, 0o755);
  const script = `try { require("fs").readFileSync(${JSON.stringify(notePath())}) } catch (error) { console.log(error.code) }`;
  const { stdout } = spawnSync(process.execPath, ["-e", script], { uid, gid: uid, encoding: "utf8" });
  if (stdout !== "") throw new Error(stdout);
}

describe("one who comes to the socket", () => {
  it.each([
    ["without the key", async () => ({ ...ownVersions(), key: "wrong" })],
    ["of another version", async () => ({ ...ownVersions(), key: readNote().key, millrace: "0.0.0" })],
    ["saying something else", async () => ({ key: readNote().key })],
  ])("%s is sent away", async (_, hello) => {
    await host.share(scene.file);
    const said = { ...(await hello()), schema: "main", stateSchema: "main", shown: "x" };
    const socket = connect(readNote().socket);
    socket.on("data", () => undefined);
    socket.write(frameOf(Buffer.from(JSON.stringify(said))));
    await once(socket, "close");
    expect(await messageOf(scene.make())).toBe("no error");
  });

  it("and talks nonsense is sent away, before and after it is let in", async () => {
    await host.share(scene.file);
    const { key, socket: path } = readNote();
    const hello = { ...ownVersions(), key, schema: "main", stateSchema: "main", shown: "x" };
    const greeting = frameOf(Buffer.from(JSON.stringify(hello)));
    const tooLarge = Buffer.from([255, 255, 255, 255]);
    for (const bytes of [tooLarge, Buffer.concat([greeting, tooLarge]), Buffer.concat([greeting, frameOf(tooLarge)])]) {
      const socket = connect(path);
      socket.on("data", () => undefined);
      socket.write(bytes);
      await once(socket, "close");
    }
    expect(await messageOf(scene.make())).toBe("no error");
  });
});

describe("a place where no socket can be", () => {
  it("is told of when the file is to be shared", async () => {
    mkdirSync(`${scene.file}.shared`);
    const sink = await scene.opened();
    await expect(sink.share?.()).rejects.toMatchObject({
      ...{ code: "DISK", message: expect.stringContaining("cannot be shared with other processes") },
    });
    expect(await readQuery(sink, "select 1 as one")).toEqual([{ one: 1 }]);
  });
});
