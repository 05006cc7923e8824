import { spawn } from "node:child_process";
import { readdirSync, readFileSync, statSync } from "node:fs";
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { parsePlace } from "../../src/core/place.ts";
import { fileStore } from "../../src/adapters/file/store.ts";
import { Users } from "../../src/runtime/users.ts";
import { findProgram } from "../servers/program.ts";
import { type Answer, ended, eventsOf, Workplace } from "./cli.ts";

const password = "correct horse";
const main = join(import.meta.dirname, "..", "..", "src", "cli", "main.ts");

let place: Workplace;
beforeEach(async () => {
  place = await Workplace.open();
});
afterEach(() => place[Symbol.asyncDispose]());

/** `millrace user …` with something on standard input. */
function user(
  args: readonly string[],
  input = "",
  environment: Readonly<Record<string, string>> = {},
): Promise<Answer> {
  const child = place.start(["user", ...args], environment);
  // A command that needs no password ends without reading it.
  child.stdin?.on("error", () => undefined).end(input);
  return ended(child);
}

const add = (name: string, ...more: string[]): Promise<Answer> =>
  user(["add", name, "--role", "writer", ...more], `${password}\n`);

async function names(...more: string[]): Promise<unknown[]> {
  const { stdout } = await user(["list", "--json", ...more]);
  return eventsOf(stdout).flatMap(({ event, name }) => (event === "user" ? [name] : []));
}

/** The users as a server has them, with a clock that goes as the test says. */
async function running(clock: { now: number }, path = ".millrace/users.db"): Promise<Users & AsyncDisposable> {
  const store = fileStore(parsePlace(`file:${place.path(path)}`), {
    engine: { connect: () => Promise.reject(new Error("unused")), uniqueName: (prefix) => prefix },
    now: () => Date.now(),
    pause: (ms) => new Promise((resolve) => setTimeout(resolve, ms)),
    notice: () => undefined,
  });
  await store.open();
  return Object.assign(new Users(store, { now: () => clock.now }), { [Symbol.asyncDispose]: () => store.close() });
}

describe("millrace user", () => {
  it("adds, lists, changes and removes", async () => {
    const shown = `file:${place.path(".millrace/users.db")}`;
    expect(await user(["list"])).toEqual({
      ...{ code: 0, stderr: "" },
      stdout: `No user is in ${shown}. Add one: millrace user add NAME --role admin\n`,
    });
    expect(await add("ada")).toEqual({ code: 0, stdout: `ada is writer in ${shown}\n`, stderr: "" });
    await add("bob");
    const changed = await user(["add", "bob", "--role", "admin", "--replace"], "battery staple\n");
    expect(changed).toEqual({ code: 0, stdout: `bob is admin in ${shown}\n`, stderr: "" });
    const { stdout } = await user(["list"]);
    expect(stdout).toMatch(/^name +role +added\n─+ +─+ +─+\nada +writer +\d{4}-\S+Z\nbob +admin +\d{4}-\S+Z\n$/);
    expect(eventsOf((await user(["list", "--json"])).stdout)).toEqual([
      { event: "user", name: "ada", role: "writer", createdAt: expect.any(String) },
      { event: "user", name: "bob", role: "admin", createdAt: expect.any(String) },
      { event: "done", users: 2 },
    ]);
    expect(await user(["remove", "ada"])).toEqual({ code: 0, stdout: `ada is removed from ${shown}\n`, stderr: "" });
    expect(await names()).toEqual(["bob"]);
    await using users = await running({ now: 0 });
    expect(await users.verify("bob", "battery staple")).toMatchObject({ name: "bob", role: "admin" });
    expect(await users.verify("bob", password)).toBeUndefined();
  });

  it("keeps them for the owner alone", async () => {
    await add("ada");
    const modeOf = (name: string): string => (statSync(place.path(name)).mode & 0o777).toString(8);
    expect([modeOf(".millrace"), modeOf(".millrace/users.db")]).toEqual(["700", "600"]);
    expect(readdirSync(place.path(".millrace"))).toEqual(["users.db"]);
    expect(readFileSync(place.path(".millrace/users.db")).includes(password)).toBe(false);
  });

  it.each([
    { what: "a line that ends as on Windows", input: `${password}\r\n` },
    { what: "a line without an end", input: password },
    { what: "the first of several lines", input: `${password}\nmore\n` },
    { what: "a line behind a byte order mark", input: `\ufeff${password}\n` },
  ])("takes $what for the password", async ({ input }) => {
    await user(["add", "ada", "--role", "reader"], input);
    await using users = await running({ now: 0 });
    expect(await users.verify("ada", password)).toMatchObject({ name: "ada" });
  });

  it("never shows a password", async () => {
    await add("ada");
    const answers = [
      await user(["add", "eve", "--role", "reader", "--password", password]),
      await user(["add", "eve", "--role", "reader", "--password", password]),
      await user(["add", "mel", "--role", "reader", "--password", `${password}\n`, "--verbose"]),
      await user(["add", "mel", "--role", "reader", "--password", password.repeat(30), "--verbose"]),
      await user(["add", "mel", password, "--role", "reader"]),
      await user(["add", "mel", "--rle", "reader", "--password", password]),
      await user(["add", "mel", "--role", "raeder", `--password=${password}`]),
      await user(["add", "--role", "reader", "--password", password]),
      await user(["--password", password]),
      await user(["lst", "--password", password]),
      await user(["list", "--password", password, "--json"]),
      await add("ada"),
      await add("ada", "--replace"),
      await user(["add", "mel", "--role", "reader"], password.repeat(30)),
      await user(["list", "--set", `users.place=postgres://me:${encodeURIComponent(password)}@127.0.0.1:1/hr`]),
      await user(["list", "--set", `users.plaice=${password}`]),
    ];
    expect(answers.map(({ code }) => code)).toEqual([0, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 0, 2, 3, 2]);
    const said = answers.map(({ stdout, stderr }) => stdout + stderr).join("\n");
    for (const part of ["correct", "horse", encodeURIComponent(password)]) expect(said).not.toContain(part);
    expect(await names()).toEqual(["ada", "eve"]);
  }, 120_000);

  it.each([
    { args: ["add", "ada", "--role", "writer"], says: '"ada" is in', remedy: "--replace" },
    { args: ["add", "a b", "--role", "writer"], says: '"a b"', remedy: "letters, digits" },
    { args: ["remove", "adda"], says: '"adda"', remedy: "Did you mean ada?" },
    { args: ["add", "eve", "--role", "writer", "--password", "long".repeat(70)], says: "password", remedy: "1 to 256" },
    { args: ["add", "eve", "--role", "writer"], says: "no password", remedy: "first line" },
  ])("$args is USER_INVALID, with a way out", async ({ args, says, remedy }) => {
    await add("ada");
    const { code, stdout, stderr } = await user(args);
    expect({ code, stdout }).toEqual({ code: 2, stdout: "" });
    expect(stderr).toMatch(/^error USER_INVALID: /);
    expect(stderr).toContain(says);
    expect(stderr.split("  → ")[1]).toContain(remedy);
    expect(await names()).toEqual(["ada"]);
  });

  it("says what a command lacks", async () => {
    const role = await user(["add", "ada"]);
    expect(role.stderr).toContain("--role is missing");
    const wrong = await user(["add", "ada", "--role", "root"]);
    expect(wrong.stderr).toContain("reader, writer, admin");
    expect([role.code, wrong.code]).toEqual([2, 2]);
  });

  it("finds the users by --set, the environment and the configuration, whatever else that says", async () => {
    const configuration =
      'export default { hr: { to: "duckdb:x.db" }, http: { port: 1 }, users: { place: "file:config.db" } };';
    await place.write("millrace.config.mjs", configuration);
    await place.write("other.config.mjs", 'export default { users: { place: "file:{data}/deep/other.db" } };');
    const environment = { MILLRACE_USERS_PLACE: "file:environment.db" };
    const into = async (name: string, args: readonly string[], more = {}): Promise<void> => {
      const { code, stderr } = await user(["add", name, "--role", "reader", ...args], `${password}\n`, more);
      expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
    };
    await into("config", []);
    await into("environment", [], environment);
    await into("flag", ["--set", "users.place=file:flag.db"], environment);
    await into("other", ["--config", "other.config.mjs", "--data", "there"]);
    await into("data", ["--config", "other.config.mjs"], { MILLRACE_DATA: place.path("elsewhere") });
    expect(await names("--set", "users.place=file:config.db")).toEqual(["config"]);
    expect(await names("--set", "users.place=file:environment.db")).toEqual(["environment"]);
    expect(await names("--set", "users.place=file:first.db", "--set", "users.place=flag.db")).toEqual(["flag"]);
    expect(await names("--set", "users.place=file:there/deep/other.db")).toEqual(["other"]);
    expect(await names("--set", "users.place=file:elsewhere/deep/other.db")).toEqual(["data"]);
    const wrong = await user(["list", "--set", "hr.to=duckdb:x"]);
    expect({ code: wrong.code, stderr: wrong.stderr }).toEqual({
      ...{ code: 2, stderr: expect.stringContaining("no setting hr.to") },
    });
  }, 120_000);

  it("says what is wrong with the place", async () => {
    await place.write("notes.txt", "not a store, and long enough for it to be looked at\n".repeat(20));
    await mkdir(place.path("folder"));
    const codes = [];
    for (const at of ["file:notes.txt", "file:folder", "ftp://localhost/x", "file:x.db?mode=1"]) {
      const { code, stderr } = await user(["list", "--set", `users.place=${at}`]);
      codes.push([code, /^error (\w+)/.exec(stderr)?.[1]]);
    }
    expect(codes).toEqual([
      [1, "FILE_FORMAT"],
      [1, "FILE_NOT_A_FILE"],
      [2, "SCHEME_UNKNOWN"],
      [2, "URL_INVALID"],
    ]);
  });
});

describe("several processes", () => {
  it("add users at once: each is there, and of one name there is one", async () => {
    const answers = await Promise.all([add("one"), add("two"), add("same"), add("same")]);
    expect(answers.filter(({ code }) => code === 0)).toHaveLength(3);
    expect(answers.filter(({ code, stderr }) => code === 2 && stderr.includes("USER_INVALID"))).toHaveLength(1);
    expect(await names()).toEqual(["one", "same", "two"]);
  });

  it("remove a user, who is let in by a server for no longer than a second", async () => {
    await add("ada");
    const clock = { now: Date.now() };
    await using users = await running(clock);
    expect(await users.verify("ada", password)).toMatchObject({ name: "ada" });
    await user(["remove", "ada"]);
    clock.now += 1_000;
    expect(await users.verify("ada", password)).toBeUndefined();
  });
});

// Elsewhere `script` takes its arguments otherwise.
const script = process.platform === "linux" ? findProgram("script") : undefined;

describe.skipIf(script === undefined)("on a terminal", () => {
  /** The command on a terminal of its own, by `script` of util-linux, with keys pressed once it asks. */
  async function onTerminal(args: readonly string[], keys: readonly string[]): Promise<Answer> {
    const command = [process.execPath, main, "user", ...args].map((arg) => `'${arg}'`).join(" ");
    const kept = Object.entries(process.env).filter(([name]) => !/^(NODE_OPTIONS|FORCE_COLOR|MILLRACE_)/.test(name));
    const child = spawn(script ?? "", ["--quiet", "--return", "--command", command, "/dev/null"], {
      ...{ cwd: place.folder, stdio: "pipe", env: { ...Object.fromEntries(kept), NO_COLOR: "1", TERM: "xterm" } },
    });
    const waiting = [...keys];
    let unseen = "";
    child.stdout.setEncoding("utf8").on("data", (text: string) => {
      unseen += text;
      if (!unseen.endsWith(": ")) return;
      unseen = "";
      child.stdin.write(waiting.shift() ?? "");
    });
    return ended(child);
  }

  it("asks twice and shows nothing of it", async () => {
    const { code, stdout } = await onTerminal(["add", "ada", "--role", "reader"], [`${password}\r`, `${password}\r`]);
    expect(stdout.replaceAll("\r", "")).toBe(
      `Password of ada: \nOnce more: \nada is reader in file:${place.path(".millrace/users.db")}\n`,
    );
    expect(code).toBe(0);
    await using users = await running({ now: 0 });
    expect(await users.verify("ada", password)).toMatchObject({ name: "ada" });
  });

  it("lets a slip be rubbed out", async () => {
    await onTerminal(["add", "ada", "--role", "reader"], [`${password}xx\u007f\u007f\r`, `oops\u0015${password}\r`]);
    await using users = await running({ now: 0 });
    expect(await users.verify("ada", password)).toMatchObject({ name: "ada" });
  });

  it("adds nobody when the two differ, nor after Ctrl-C or Ctrl-D", async () => {
    const args = ["add", "ada", "--role", "reader"];
    const differ = await onTerminal(args, [`${password}\r`, `${password}.\r`]);
    expect([differ.code, differ.stdout]).toEqual([2, expect.stringContaining("not the same")]);
    for (const key of ["\u0003", "\u0004"]) {
      const { code, stdout } = await onTerminal(args, [key]);
      expect([code, stdout]).toEqual([130, expect.stringContaining("INTERRUPTED")]);
    }
    expect(differ.stdout).not.toContain("correct");
    expect(await names()).toEqual([]);
  });

  it("does not ask for a user who is there already", async () => {
    await add("ada");
    const { code, stdout } = await onTerminal(["add", "ada", "--role", "reader"], []);
    expect(code).toBe(2);
    expect(stdout).not.toContain("Password");
  });
});
