import { Wire } from "./wire.ts";

/** Enough of AMQP 0-9-1 to log in, and to pass one message through a queue. Names as in its specification. */
const METHOD = 1;
const HEADER = 2;
const BODY = 3;
const FRAME_END = 0xce;
const BASIC = 60;

function short(value: number): Buffer {
  return Buffer.from([value >> 8, value & 0xff]);
}

function long(value: number): Buffer {
  return Buffer.concat([short(Math.floor(value / 0x10000)), short(value & 0xffff)]);
}

function shortText(text: string): Buffer {
  return Buffer.concat([Buffer.from([text.length]), Buffer.from(text)]);
}

function longText(text: string): Buffer {
  return Buffer.concat([long(text.length), Buffer.from(text)]);
}

const EMPTY_TABLE = long(0);

function send(wire: Wire, type: number, channel: number, ...parts: Buffer[]): void {
  const payload = Buffer.concat(parts);
  const head = Buffer.concat([Buffer.from([type]), short(channel), long(payload.length)]);
  wire.write(Buffer.concat([head, payload, Buffer.from([FRAME_END])]));
}

async function receive(wire: Wire): Promise<Buffer> {
  const head = await wire.bytes(7);
  const payload = await wire.bytes(head.readUInt32BE(3));
  await wire.bytes(1);
  return payload;
}

/** The server's next method has to be this one. */
async function expectMethod(wire: Wire, classId: number, methodId: number): Promise<void> {
  const payload = await receive(wire);
  const [gotClass, gotMethod] = [payload.readUInt16BE(0), payload.readUInt16BE(2)];
  if (gotClass !== classId || gotMethod !== methodId) {
    throw new Error(
      `Expected method ${classId}.${methodId}, got ${gotClass}.${gotMethod}: ${payload.toString("latin1")}`,
    );
  }
}

async function logIn(wire: Wire, user: string, password: string, host: string): Promise<void> {
  wire.write("AMQP\0\0\x09\x01");
  await expectMethod(wire, 10, 10); // connection.start
  const answer = [EMPTY_TABLE, shortText("PLAIN"), longText(`\0${user}\0${password}`), shortText("en_US")];
  send(wire, METHOD, 0, short(10), short(11), ...answer);
  await expectMethod(wire, 10, 30); // connection.tune
  send(wire, METHOD, 0, short(10), short(31), short(1), long(131_072), short(0));
  send(wire, METHOD, 0, short(10), short(40), shortText(host), Buffer.from([0, 0]));
  await expectMethod(wire, 10, 41); // connection.open-ok
  send(wire, METHOD, 1, short(20), short(10), shortText(""));
  await expectMethod(wire, 20, 11); // channel.open-ok
}

/** Declares a queue that goes with the connection, publishes to it and gets the message back. */
async function passMessage(wire: Wire, queue: string, text: string): Promise<string> {
  const exclusive = Buffer.from([0b00100]);
  send(wire, METHOD, 1, short(50), short(10), short(0), shortText(queue), exclusive, EMPTY_TABLE);
  await expectMethod(wire, 50, 11); // queue.declare-ok
  send(wire, METHOD, 1, short(BASIC), short(40), short(0), shortText(""), shortText(queue), Buffer.from([0]));
  send(wire, HEADER, 1, short(BASIC), short(0), long(0), long(text.length), short(0));
  send(wire, BODY, 1, Buffer.from(text));
  send(wire, METHOD, 1, short(BASIC), short(70), short(0), shortText(queue), Buffer.from([1]));
  await expectMethod(wire, BASIC, 71); // basic.get-ok
  await receive(wire); // Its header.
  return (await receive(wire)).toString();
}

/** Logs in and asks no more: of a broker that takes no messages. */
export async function reachAmqp(url: string): Promise<void> {
  using wire = await Wire.to(url);
  await logInTo(wire, url);
}

function logInTo(wire: Wire, url: string): Promise<void> {
  const { username, password, pathname } = new URL(url);
  return logIn(wire, username, decodeURIComponent(password), decodeURIComponent(pathname.slice(1)) || "/");
}

export async function askAmqp(url: string): Promise<void> {
  using wire = await Wire.to(url);
  await logInTo(wire, url);
  const back = await passMessage(wire, `millrace.asked.${process.pid}`, "yes");
  if (back !== "yes") throw new Error(`Published "yes", got "${back}"`);
}
