import { type Command, Option } from "commander";
import { MillraceError } from "../core/error.ts";
import type { EngineHost } from "../ports/engine.ts";
import { loadConfig } from "../runtime/config.ts";
import { adapterContext } from "../runtime/context.ts";
import { openStore } from "../runtime/schemes.ts";
import { dataFolder, Settings } from "../runtime/settings.ts";
import {
  isTaken,
  passwordCharsAdvised,
  requireName,
  type Role,
  roles,
  type User,
  Users,
  userSettings,
} from "../runtime/users.ts";
import { gridLines } from "./grid.ts";
import { readPassword } from "./password-prompt.ts";
import { stderr, stdout } from "./screen.ts";

interface PlaceFlags {
  readonly config?: string;
  readonly data?: string;
  readonly set?: readonly string[];
}

interface AddFlags extends PlaceFlags {
  readonly role?: Role;
  readonly password?: string;
  readonly replace?: boolean;
}

interface ListFlags extends PlaceFlags {
  readonly json?: boolean;
}

const examples = `
Examples:
  $ millrace user add ada --role admin                    asks for the password, and shows nothing of it
  $ millrace user add ci --role writer < password.txt     the first line of the file is the password
  $ millrace user add ada --role reader --replace         another password and role for one who is there
  $ millrace user list
  $ millrace user remove ada                              within a second no process lets ada in

A reader looks at things; a writer also loads, corrects and backs up; an admin may do everything. Users lie in users.db
of the data folder unless users.place says otherwise, as hashes of their passwords.`;

export function define(command: Command): void {
  command.description("Add, list and remove those who may call the server.").addHelpText("after", examples);
  defineAdd(command.command("add"));
  defineList(command.command("list"));
  defineRemove(command.command("remove"));
}

function placed(command: Command): Command {
  const gather = (text: string, before: readonly string[] = []): string[] => [...before, text];
  return command
    .option("--data <folder>", "the data folder; MILLRACE_DATA, else .millrace beside the project")
    .option("--set <setting>", "a setting: users.place=URL", gather)
    .option("--config <file>", "the project's configuration")
    .option("--verbose", "with an error, say where it happened");
}

function defineAdd(command: Command): void {
  placed(command)
    .description("add a user, who is asked for a password")
    .argument("<name>", "1 to 64 letters, digits and . _ @ -")
    .addOption(new Option("--role <role>", "what the user may do (needed)").choices(roles))
    .option("--password <password>", "rather not: everybody on this machine sees it in the list of processes")
    .option("--replace", "another password and role for a user who is there")
    // What is too much may be a password, which the parser would print.
    .allowExcessArguments()
    .action((name: string, flags: AddFlags, { args }: Command) => addUser(name, neededRole(flags.role, args), flags));
}

function defineList(command: Command): void {
  placed(command)
    .description("who is there")
    .option("--json", "one JSON object a line on standard output")
    .action(listUsers);
}

function defineRemove(command: Command): void {
  placed(command).description("remove a user").argument("<name>", "the name, exactly").action(removeUser);
}

/** Asked for here and not by the parser, which would say so before it names a misspelt option. */
function neededRole(role: Role | undefined, args: readonly string[]): Role {
  if (args.length > 1) {
    throw new MillraceError("USAGE", "user add takes one name and nothing else", {
      remedy: "The password is asked for, or read from standard input.",
    });
  }
  if (role !== undefined) return role;
  throw new MillraceError("USAGE", "--role is missing: it says what the user may do", {
    remedy: `Give --role ${roles.join(", or --role ")}.`,
  });
}

function addUser(name: string, role: Role, flags: AddFlags): Promise<void> {
  return withUsers(flags, async (users, shown) => {
    // Said before a password is asked for in vain.
    requireName(name);
    const replace = flags.replace === true;
    if (!replace && (await users.get(name)) !== undefined) throw isTaken(name, shown);
    const password = flags.password ?? (await readPassword(name));
    await users.add({ name, role, password }, { replace });
    if ([...password].length < passwordCharsAdvised)
      stderr.line(`the password has fewer than ${passwordCharsAdvised} characters and is easily guessed`);
    stdout.line(`${name} is ${role} in ${shown}`);
  });
}

function listUsers(flags: ListFlags): Promise<void> {
  return withUsers(flags, async (users, shown) => {
    const found = await users.list();
    if (flags.json === true) listJson(found);
    else if (found.length === 0) stdout.line(`No user is in ${shown}. Add one: millrace user add NAME --role admin`);
    else for (const line of userLines(found)) stdout.line(line);
  });
}

function listJson(users: readonly User[]): void {
  for (const user of users) stdout.line(JSON.stringify({ event: "user", ...user }));
  stdout.line(JSON.stringify({ event: "done", users: users.length }));
}

function userLines(users: readonly User[]): string[] {
  const columns = [{ name: "name" }, { name: "role" }, { name: "added" }];
  const rows = users.map(({ name, role, createdAt }) => [name, role, createdAt]);
  return gridLines(columns, rows, stdout.columns);
}

function removeUser(name: string, flags: PlaceFlags): Promise<void> {
  return withUsers(flags, async (users, shown) => {
    await users.remove(name);
    stdout.line(`${name} is removed from ${shown}`);
  });
}

/** A store has no use for the engine, and starting it takes longer than all else here. */
const noEngine: EngineHost = {
  connect: () => Promise.reject(new TypeError("a store has asked for the engine")),
  uniqueName: (prefix) => prefix,
};

/** Opens the users that the settings name, for `work`. Their file and the data folder are created when missing. */
async function withUsers(flags: PlaceFlags, work: (users: Users, shown: string) => Promise<void>): Promise<void> {
  const config = await loadConfig(process.cwd(), flags.config);
  const data = dataFolder(flags.data, process.env, config.folder);
  const sources = { flags: flags.set ?? [], environment: process.env, config, data };
  const { place } = new Settings({ users: userSettings }, sources, { only: true }).of("users", userSettings);
  const context = adapterContext(noEngine, (text) => stderr.line(text));
  const store = await openStore(place, context);
  try {
    await store.open();
    await work(new Users(store, context), store.shown);
  } finally {
    await store.close();
  }
}
