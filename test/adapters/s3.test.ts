import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer, type Server, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { inspect } from "node:util";
import { AbortMultipartUploadCommand, CreateMultipartUploadCommand, S3Client } from "@aws-sdk/client-s3";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import { s3Archive } from "../../src/adapters/s3/index.ts";
import { archiveConformance, type ArchivePlace } from "../../src/conformance/index.ts";
import { MillraceError } from "../../src/core/error.ts";
import { parsePlace } from "../../src/core/place.ts";
import type { AdapterContext } from "../../src/ports/adapter.ts";
import type { Archive } from "../../src/ports/archive.ts";
import { describeWith } from "../servers/not-run.ts";
import { requestS3, type S3Server, startS3 } from "../servers/s3.ts";

let nowMs = Date.now();
const notices: string[] = [];
const context: AdapterContext = {
  engine: { connect: () => Promise.reject(new Error("an archive needs no engine")), uniqueName: (prefix) => prefix },
  now: () => nowMs,
  pause: async () => undefined,
  notice: (text) => void notices.push(text),
};

const open = (url: string): Archive => s3Archive(parsePlace(url), context);

async function failure(work: Promise<unknown>): Promise<MillraceError> {
  const error: unknown = await work.then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  expect(error).toBeInstanceOf(MillraceError);
  return error as MillraceError;
}

async function namesOf(archive: Archive, prefix = ""): Promise<string[]> {
  const found: string[] = [];
  for await (const { name } of archive.list(prefix)) found.push(name);
  return found;
}

describe("an s3 URL", () => {
  const codeOf = (url: string): string => {
    try {
      open(url);
      return "none";
    } catch (error) {
      expect(String(error)).not.toContain("SECRET");
      return error instanceof MillraceError ? error.code : String(error);
    }
  };

  it("is shown without its credentials", () => {
    const shown = open("s3://KEY:SECRET%2F%2B@bucket/a/b/?endpoint=http://localhost:9000&path_style=true").shown;
    expect(shown).toBe("s3://bucket/a/b?endpoint=http://localhost:9000&path_style=true");
    expect(open("s3://bucket").shown).toBe("s3://bucket/");
  });

  it.each([
    ["half of the credentials", "s3://KEY@bucket/a"],
    ["a secret key with a slash in it", "s3://KEY:12/SECRET@bucket/a"],
    ["a secret key with a hash in it", "s3://KEY:SECRET#SECRET@bucket/a"],
    ["no bucket", "s3:///a"],
    ["an option that is none", "s3://KEY:SECRET@bucket/a?secret=SECRET"],
    ["an endpoint that is no server", "s3://bucket/a?endpoint=localhost:9000"],
    ["credentials in the endpoint", "s3://bucket/a?endpoint=http://KEY:SECRET@localhost"],
    ["a style that is none", "s3://bucket/a?path_style=yes"],
    ["a path that leads up", "s3://bucket/a%2F..%2Fb"],
  ])("is refused with %s", (_, url) => {
    expect(codeOf(url)).toBe("URL_INVALID");
  });
});

/** A server that takes connections and does with them as it is told. */
async function strangeServer(behave: (socket: Socket) => void): Promise<{ server: Server; endpoint: string }> {
  const server = createServer((socket) => {
    socket.on("error", () => {});
    behave(socket);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("no port");
  return { server, endpoint: `http://127.0.0.1:${address.port}` };
}

describe("an S3 server that is in the way", () => {
  const root = mkdtempSync(join(tmpdir(), "millrace-s3-"));
  const local = join(root, "local");
  writeFileSync(local, "content");
  afterAll(() => rmSync(root, { recursive: true }));
  let count = 0;
  const copy = (): string => join(root, `copy ${(count += 1)}`);

  const answer = (status: string, body: string, headers = ""): string =>
    `HTTP/1.1 ${status}\r\ncontent-length: ${body.length}\r\nconnection: close\r\n${headers}\r\n${body}`;
  const error = (code: string): string => `<Error><Code>${code}</Code><Message>words of ${code}</Message></Error>`;

  it.each([
    ["403 Forbidden", "AccessDenied", "SINK_DENIED"],
    ["403 Forbidden", "SignatureDoesNotMatch", "SINK_DENIED"],
    ["403 Forbidden", "RequestTimeTooSkewed", "SINK_DENIED"],
    ["404 Not Found", "NoSuchBucket", "SINK_UNREACHABLE"],
    ["403 Forbidden", "QuotaExceeded", "SINK_FULL"],
    ["507 Insufficient Storage", "XMinioStorageFull", "SINK_FULL"],
    ["405 Method Not Allowed", "MethodNotAllowed", "SINK_READ_ONLY"],
    ["400 Bad Request", "InvalidRequest", "SINK_REFUSED"],
    ["301 Moved Permanently", "PermanentRedirect", "SINK_REFUSED"],
    ["503 Slow Down", "SlowDown", "SINK_UNREACHABLE"],
  ])("answers %s %s: %s", { timeout: 30_000 }, async (status, code, expected) => {
    const { server, endpoint } = await strangeServer((socket) => {
      socket.once("data", () => socket.end(answer(status, error(code), "content-type: application/xml\r\n")));
    });
    const archive = open(`s3://KEY:SECRETSECRET@bucket/a?endpoint=${endpoint}`);
    try {
      const thrown = await failure(archive.put("name", local));
      expect([thrown.code, thrown.message]).toEqual([expected, expect.stringContaining(`s3://bucket/a?endpoint`)]);
      expect(inspect(thrown, { depth: 20, showHidden: true })).not.toContain("SECRETSECRET");
    } finally {
      await archive.close();
      server.close();
    }
  });

  it("is asked a few times when nobody answers", { timeout: 30_000 }, async () => {
    const { server, endpoint } = await strangeServer((socket) => socket.destroy());
    const archive = open(`s3://KEY:SECRET@bucket/a?endpoint=${endpoint}`);
    try {
      expect((await failure(archive.put("name", local))).code).toBe("SINK_UNREACHABLE");
      expect((await failure(namesOf(archive))).code).toBe("SINK_UNREACHABLE");
      expect((await failure(archive.remove("name"))).code).toBe("SINK_UNREACHABLE");
    } finally {
      await archive.close();
      server.close();
    }
    const gone = open(`s3://KEY:SECRET@bucket/a?endpoint=${endpoint}`);
    expect((await failure(gone.get("name", copy()))).code).toBe("SINK_UNREACHABLE");
    await gone.close();
  });

  it("is asked once more for a download that broke off", async () => {
    let asked = 0;
    const { server, endpoint } = await strangeServer((socket) => {
      socket.once("data", () => {
        asked += 1;
        if (asked > 1) socket.end(answer("200 OK", "content"));
        else socket.end("HTTP/1.1 200 OK\r\ncontent-length: 7\r\n\r\ncon");
      });
    });
    const archive = open(`s3://KEY:SECRET@bucket/a?endpoint=${endpoint}`);
    try {
      const path = copy();
      await archive.get("name", path);
      expect([asked, readFileSync(path, "utf8")]).toEqual([2, "content"]);
    } finally {
      await archive.close();
      server.close();
    }
  });

  it("is not believed when what it sends has another checksum", async () => {
    // CRC32 of "content" is another.
    const { server, endpoint } = await strangeServer((socket) => {
      socket.once("data", () => socket.end(answer("200 OK", "content", "x-amz-checksum-crc32: AAAAAA==\r\n")));
    });
    const archive = open(`s3://KEY:SECRET@bucket/a?endpoint=${endpoint}`);
    try {
      const thrown = await failure(archive.get("name", copy()));
      expect([thrown.code, thrown.message]).toEqual(["SINK_UNREACHABLE", expect.stringMatching(/checksum/i)]);
    } finally {
      await archive.close();
      server.close();
    }
  });
});

describeWith("s3", "S3", () => {
  let server: S3Server;
  let places = 0;
  beforeAll(async () => {
    server = await startS3();
  });
  afterAll(() => server.stop());

  const urlOf = (prefix: string, bucket = server.bucket, secret = server.secretKey): string =>
    `s3://${server.accessKey}:${encodeURIComponent(secret)}@${bucket}/${prefix}?endpoint=${server.endpoint}&region=${server.region}`;

  archiveConformance({
    name: "s3",
    api: { describe, it, expect },
    skips: {},
    create: async (): Promise<ArchivePlace> => {
      places += 1;
      const url = urlOf(`place-${places}/deep`);
      return { archive: open(url), other: async () => open(url), dispose: async () => undefined };
    },
  });

  it("lists more than a page", { timeout: 60_000 }, async () => {
    const names = Array.from({ length: 1050 }, (_, index) => `pages/${String(index).padStart(4, "0")}`);
    for (let at = 0; at < names.length; at += 50) {
      const some = names.slice(at, at + 50);
      await Promise.all(some.map((name) => requestS3(server, "PUT", `/${server.bucket}/many/${name}`, "x")));
    }
    const archive = open(urlOf("many"));
    expect(await namesOf(archive, "pages/")).toEqual(names);
    await archive.close();
  });

  it("does not list what has no name of an archive", async () => {
    for (const key of ["foreign/a", "foreign/a%20b", "foreign/c/"]) {
      await requestS3(server, "PUT", `/${server.bucket}/${key}`, key.endsWith("/") ? "" : "x");
    }
    const archive = open(urlOf("foreign"));
    expect(await namesOf(archive)).toEqual(["a"]);
    await archive.close();
  });

  it("works from the whole bucket", async () => {
    const archive = open(urlOf(""));
    const local = join(tmpdir(), `millrace-s3-${process.pid}`);
    writeFileSync(local, "content");
    try {
      await archive.put("at-the-top", local);
      expect(await namesOf(archive, "at-")).toEqual(["at-the-top"]);
      await archive.remove("at-the-top");
      expect(await namesOf(archive, "at-")).toEqual([]);
    } finally {
      rmSync(local);
      await archive.close();
    }
  });

  it("finds keys in the environment where the URL has none", async () => {
    vi.stubEnv("AWS_ACCESS_KEY_ID", server.accessKey);
    vi.stubEnv("AWS_SECRET_ACCESS_KEY", server.secretKey);
    const archive = open(`s3://${server.bucket}/of-the-environment?endpoint=${server.endpoint}`);
    try {
      expect(await namesOf(archive)).toEqual([]);
    } finally {
      await archive.close();
      vi.unstubAllEnvs();
    }
  });

  it("refuses wrong keys, and tells nobody the right ones", async () => {
    const archive = open(urlOf("a", server.bucket, "a-wrong-secret"));
    const thrown = await failure(namesOf(archive));
    expect(thrown.code).toBe("SINK_DENIED");
    expect(inspect(thrown, { depth: 20, showHidden: true })).not.toContain("a-wrong-secret");
    await archive.close();
  });

  it("has nothing in a bucket that is not there, and keeps nothing there", async () => {
    const archive = open(urlOf("a", "no-such-bucket"));
    const local = join(tmpdir(), `millrace-s3-${process.pid}`);
    writeFileSync(local, "content");
    try {
      expect(await namesOf(archive)).toEqual([]);
      await archive.remove("a");
      expect((await failure(archive.get("a", `${local}-copy`))).code).toBe("FILE_MISSING");
      const thrown = await failure(archive.put("a", local));
      expect([thrown.code, thrown.remedy]).toEqual(["SINK_UNREACHABLE", "Create the bucket, or correct its name."]);
    } finally {
      rmSync(local);
      await archive.close();
    }
  });

  it("ends uploads that were begun a week ago and never ended", async () => {
    const client = new S3Client({
      endpoint: server.endpoint,
      region: server.region,
      forcePathStyle: true,
      credentials: { accessKeyId: server.accessKey, secretAccessKey: server.secretKey },
    });
    const begin = async (key: string): Promise<() => Promise<string>> => {
      const { UploadId } = await client.send(new CreateMultipartUploadCommand({ Bucket: server.bucket, Key: key }));
      const end = new AbortMultipartUploadCommand({ Bucket: server.bucket, Key: key, UploadId });
      // What is not there any more cannot be ended.
      return () =>
        client.send(end).then(
          () => "was there",
          (error: unknown) => (error as Error).name,
        );
    };
    const [ours, others] = [await begin("swept/table/data"), await begin("elsewhere/data")];
    const local = join(tmpdir(), `millrace-s3-${process.pid}`);
    writeFileSync(local, "content");
    const archive = open(urlOf("swept"));
    try {
      nowMs = Date.now() + 8 * 24 * 3600 * 1000;
      await archive.put("a", local);
      expect(notices).toEqual([]);
      expect([await ours(), await others()]).toEqual(["NoSuchUpload", "was there"]);
    } finally {
      nowMs = Date.now();
      rmSync(local);
      await archive.close();
      client.destroy();
    }
  });
});
