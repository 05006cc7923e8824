import { Wire } from "./wire.ts";

/** Two requests of Kafka's protocol, in the oldest versions that brokers still take. */
export interface Address {
  host: string;
  port: number;
}

const METADATA = 3;
const CREATE_TOPICS = 19;
const WAIT_MS = 20_000;

function int16(value: number): Buffer {
  const buffer = Buffer.alloc(2);
  buffer.writeInt16BE(value);
  return buffer;
}

function int32(value: number): Buffer {
  const buffer = Buffer.alloc(4);
  buffer.writeInt32BE(value);
  return buffer;
}

function text(value: string): Buffer {
  return Buffer.concat([int16(value.length), Buffer.from(value)]);
}

/** Sends one request and answers with what follows the correlation id. */
async function request(address: Address, api: number, version: number, ...body: Buffer[]): Promise<Buffer> {
  using wire = await Wire.open(address.host, address.port);
  const payload = Buffer.concat([int16(api), int16(version), int32(1), text("millrace"), ...body]);
  wire.write(Buffer.concat([int32(payload.length), payload]));
  const length = (await wire.bytes(4)).readInt32BE();
  return (await wire.bytes(length)).subarray(4);
}

/** How many brokers this one knows of; itself counts once it may serve. */
export async function askKafkaBrokers(address: Address): Promise<number> {
  const answer = await request(address, METADATA, 1, int32(0));
  return answer.readInt32BE();
}

/** Creates a topic with one partition and one copy. */
export async function createKafkaTopic(address: Address, name: string): Promise<void> {
  const topic = [int32(1), text(name), int32(1), int16(1), int32(0), int32(0)];
  const answer = await request(address, CREATE_TOPICS, 2, ...topic, int32(WAIT_MS), Buffer.from([0]));
  const nameLength = answer.readInt16BE(8); // After the throttle time and the number of topics.
  const error = answer.readInt16BE(10 + nameLength);
  if (error !== 0) throw new Error(`Kafka refused to create ${name}: error ${error}`);
}
