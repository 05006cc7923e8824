import { S3Client, DeleteObjectCommand, ListObjectsV2Command, PutObjectCommand } from "@aws-sdk/client-s3";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import {
  dropConformance,
  filesConformance,
  type FolderHarness,
  type FolderPlace,
} from "../../../src/conformance/index.ts";
import { openDrop } from "../../../src/runtime/schemes.ts";
import { filesAt } from "../../../src/runtime/source-files.ts";
import { describeWith } from "../../servers/not-run.ts";
import { type S3Server, startS3 } from "../../servers/s3.ts";
import { context } from "./folder.ts";

describeWith("s3", "versitygw", () => {
  let server: S3Server;
  let client: S3Client;
  let folders = 0;
  beforeAll(async () => {
    server = await startS3();
    const { endpoint, region, accessKey: accessKeyId, secretKey: secretAccessKey } = server;
    client = new S3Client({ endpoint, region, forcePathStyle: true, credentials: { accessKeyId, secretAccessKey } });
  });
  afterAll(async () => {
    client.destroy();
    await server.stop();
  });

  const urlOf = (secret = server.secretKey): string =>
    `s3://${server.accessKey}:${encodeURIComponent(secret)}@${server.bucket}`;
  const options = (): string => `?endpoint=${encodeURIComponent(server.endpoint)}`;
  const keysOf = async (prefix: string): Promise<string[]> => {
    const listed = await client.send(new ListObjectsV2Command({ Bucket: server.bucket, Prefix: prefix }));
    return (listed.Contents ?? []).map(({ Key: key = "" }) => key);
  };

  const create = async (): Promise<FolderPlace> => {
    folders += 1;
    const prefix = `folder ${folders}/`;
    const at = `${urlOf()}/${encodeURIComponent(prefix.slice(0, -1))}`;
    const encoded = (path: string): string => path.split("/").map(encodeURIComponent).join("/");
    return {
      files: (pattern) =>
        filesAt(pattern.startsWith("s3:") ? pattern : `${at}/${encoded(pattern)}${options()}`, context),
      drop: () => openDrop(`${at}${options()}`, context),
      put: async (path, content) => {
        await client.send(
          new PutObjectCommand({ Bucket: server.bucket, Key: prefix + path, Body: Buffer.from(content) }),
        );
      },
      paths: async () => (await keysOf(prefix)).map((key) => key.slice(prefix.length)).toSorted(),
      dispose: async () => {
        for (const key of await keysOf(prefix)) {
          await client.send(new DeleteObjectCommand({ Bucket: server.bucket, Key: key }));
        }
      },
    };
  };
  const harness: FolderHarness = { name: "s3", api: { describe, it, expect }, skips: {}, create };
  filesConformance(harness);
  dropConformance(harness);

  it("says that the keys are refused, without them", async () => {
    const files = filesAt(`${urlOf("not-to-be-shown")}/*.csv${options()}`, context);
    const error: unknown = await files.list().catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ code: "SINK_DENIED" });
    expect(String((error as Error).stack) + String((error as Error).cause)).not.toContain("not-to-be-shown");
    await files.close();
  });
});
