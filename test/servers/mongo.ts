import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { freePort, HOST, inFolder } from "./place.ts";
import { findProgram, needProgram, servicesFolder } from "./program.ts";
import { foreignServer, givenUrl, type RestartableServer, type Server, serve } from "./server.ts";
import { Wire } from "./wire.ts";

const SERVICE = "mongo";
const PROGRAM = "ferretdb";
const OP_MSG = 2013;

function programFolder(): string {
  return join(servicesFolder(), PROGRAM);
}

function int32(value: number): Buffer {
  const buffer = Buffer.alloc(4);
  buffer.writeInt32LE(value);
  return buffer;
}

function prefixed(body: Buffer): Buffer {
  return Buffer.concat([int32(body.length + 4), body]);
}

/** `{ <command>: 1, $db: "admin" }` in BSON: type, name and value of each field, then a zero. */
function commandDocument(command: string): Buffer {
  const number = Buffer.concat([Buffer.from(`\x10${command}\0`), int32(1)]);
  const database = Buffer.concat([Buffer.from("\x02$db\0"), int32(6), Buffer.from("admin\0")]);
  return prefixed(Buffer.concat([number, database, Buffer.from([0])]));
}

/** Sends a command and answers with the raw document that comes back. */
async function command(wire: Wire, name: string): Promise<Buffer> {
  const header = Buffer.concat([int32(1), int32(0), int32(OP_MSG), int32(0), Buffer.from([0])]);
  wire.write(prefixed(Buffer.concat([header, commandDocument(name)])));
  const length = (await wire.bytes(4)).readInt32LE();
  const answer = await wire.bytes(length - 4);
  const ok = answer.indexOf("\x01ok\0");
  if (ok < 0 || answer.readDoubleLE(ok + 4) !== 1) throw new Error(`${name} was refused`);
  return answer;
}

function textField(document: Buffer, name: string): string {
  const at = document.indexOf(`\x02${name}\0`);
  if (at < 0) return "unknown";
  const start = at + name.length + 2;
  return document.subarray(start + 4, start + 3 + document.readInt32LE(start)).toString();
}

/** Says hello as a driver does. Answers the version of MongoDB the server says it speaks for. */
export async function askMongo({ url }: Pick<Server, "url">): Promise<string> {
  using wire = await Wire.to(url);
  await command(wire, "hello");
  return `MongoDB protocol as of ${textField(await command(wire, "buildInfo"), "version")}`;
}

export function availableMongo(): boolean {
  return findProgram(PROGRAM, [programFolder()]) !== undefined;
}

/** FerretDB over SQLite: one node, no transactions, no log-in. A replica set comes by `MILLRACE_TEST_MONGO_URL`. */
export async function startMongo(): Promise<RestartableServer> {
  const given = givenUrl(SERVICE);
  if (given !== undefined) return foreignServer(SERVICE, given);
  const program = needProgram(SERVICE, PROGRAM, [programFolder()]);
  return inFolder(SERVICE, undefined, async (folder) => {
    const data = join(folder, "data");
    mkdirSync(data);
    const port = await freePort();
    const url = `mongodb://${HOST}:${port}/`;
    return serve({
      service: SERVICE,
      url,
      folder,
      command: program,
      args: [`${HOST}:${port}`, data],
      ask: () => askMongo({ url }),
    });
  });
}
