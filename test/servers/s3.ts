import { createHash, createHmac } from "node:crypto";
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { freePort, HOST, inFolder } from "./place.ts";
import { findProgram, needProgram, servicesFolder } from "./program.ts";
import { foreignServer, givenUrl, type RestartableServer, serve } from "./server.ts";

/** The URL has everything: `http://accessKey:secretKey@host:port/bucket`. The other members are its parts. */
export interface S3Server extends RestartableServer {
  readonly endpoint: string;
  readonly accessKey: string;
  readonly secretKey: string;
  readonly bucket: string;
  readonly region: string;
}

export type S3Place = Pick<S3Server, "endpoint" | "accessKey" | "secretKey" | "bucket" | "region">;

const SERVICE = "s3";
const PROGRAM = "versitygw";
const ACCESS_KEY = "millrace";
const SECRET_KEY = "millrace-secret";
const BUCKET = "millrace";
const REGION = "us-east-1";

function placeOf(url: string): S3Place {
  const { protocol, host, username, password, pathname } = new URL(url);
  const [accessKey, secretKey] = [username, password].map(decodeURIComponent) as [string, string];
  return { endpoint: `${protocol}//${host}`, accessKey, secretKey, bucket: pathname.slice(1), region: REGION };
}

function hash(data: string): string {
  return createHash("sha256").update(data).digest("hex");
}

function hmac(key: string | Buffer, data: string): Buffer {
  return createHmac("sha256", key).update(data).digest();
}

/** A request signed as S3 asks for (AWS Signature Version 4). Query parameters have to come in order. */
export async function requestS3(place: S3Place, method: string, path: string, body = ""): Promise<string> {
  const url = new URL(path, place.endpoint);
  const time = new Date().toISOString().replace(/[-:]|\.\d+/g, "");
  const signed = { host: url.host, "x-amz-content-sha256": hash(body), "x-amz-date": time };
  const headers = Object.entries(signed).map(([name, value]) => `${name}:${value}\n`);
  const names = Object.keys(signed).join(";");
  const request = [method, url.pathname, url.search.slice(1), headers.join(""), names, hash(body)].join("\n");
  const scope = [time.slice(0, 8), place.region, "s3", "aws4_request"];
  const key = scope.reduce<string | Buffer>((secret, part) => hmac(secret, part), `AWS4${place.secretKey}`);
  const signature = hmac(key, ["AWS4-HMAC-SHA256", time, scope.join("/"), hash(request)].join("\n")).toString("hex");
  const credential = `${place.accessKey}/${scope.join("/")}`;
  const response = await fetch(url, {
    method,
    headers: {
      ...signed,
      authorization: `AWS4-HMAC-SHA256 Credential=${credential}, SignedHeaders=${names}, Signature=${signature}`,
    },
    ...(method === "PUT" ? { body } : {}),
    signal: AbortSignal.timeout(5_000),
  });
  const text = await response.text();
  if (!response.ok) throw new Error(`${method} ${path}: ${response.status} ${text}`);
  return text;
}

/** Puts an object, lists the bucket and deletes the object. */
export async function askS3(place: S3Place): Promise<string> {
  const path = `/${place.bucket}/millrace-asked.txt`;
  await requestS3(place, "PUT", path, "yes");
  const listing = await requestS3(place, "GET", `/${place.bucket}?list-type=2`);
  await requestS3(place, "DELETE", path);
  const keys = [...listing.matchAll(/<Key>([^<]+)<\/Key>/g)].map((match) => match[1]);
  if (!keys.includes("millrace-asked.txt")) throw new Error(`Not listed: ${listing}`);
  return `S3 lists ${keys.length} object in ${place.bucket}`;
}

function programFolder(): string {
  return join(servicesFolder(), PROGRAM);
}

export function availableS3(): boolean {
  return findProgram(PROGRAM, [programFolder()]) !== undefined;
}

/** Objects are files in a folder; what the file system cannot hold of their attributes lies in a second one. */
function args(folder: string, port: number): string[] {
  const [objects, attributes] = ["objects", "attributes"].map((name) => join(folder, name)) as [string, string];
  for (const path of [objects, attributes]) mkdirSync(path);
  const account = ["--access", ACCESS_KEY, "--secret", SECRET_KEY, "--region", REGION];
  return [...account, "--port", `${HOST}:${port}`, "--quiet", "posix", "--sidecar", attributes, objects];
}

/** A private S3 server with one empty bucket. */
export async function startS3(): Promise<S3Server> {
  const given = givenUrl(SERVICE);
  if (given !== undefined) return { ...foreignServer(SERVICE, given), ...placeOf(given) };
  const program = needProgram(SERVICE, PROGRAM, [programFolder()]);
  return inFolder(SERVICE, undefined, async (folder) => {
    const port = await freePort();
    const url = `http://${ACCESS_KEY}:${SECRET_KEY}@${HOST}:${port}/${BUCKET}`;
    const place = placeOf(url);
    const server = await serve({
      service: SERVICE,
      url,
      folder,
      command: program,
      args: args(folder, port),
      ask: () => requestS3(place, "GET", "/"),
    });
    await requestS3(place, "PUT", `/${BUCKET}`);
    return Object.assign(server, place);
  });
}
