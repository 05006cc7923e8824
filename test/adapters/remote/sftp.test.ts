import { createHash } from "node:crypto";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { connect, createServer, type Server, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import {
  dropConformance,
  filesConformance,
  type FolderHarness,
  type FolderPlace,
} from "../../../src/conformance/index.ts";
import { filesAt } from "../../../src/runtime/source-files.ts";
import { describeWith } from "../../servers/not-run.ts";
import { HOST } from "../../servers/place.ts";
import { type SshServer, startSsh } from "../../servers/ssh.ts";
import { context, folderOn } from "./folder.ts";

const api = { describe, it, expect };

describeWith("ssh", "OpenSSH", () => {
  let server: SshServer;
  let local: string;
  let folders = 0;
  beforeAll(async () => {
    server = await startSsh();
    local = mkdtempSync(join(tmpdir(), "millrace-sftp-"));
    writeFileSync(join(local, "key"), server.privateKey ?? "", { mode: 0o600 });
    const { port } = new URL(server.url);
    writeFileSync(join(local, "known_hosts"), `# ours\n[${HOST}]:${port} ${server.hostKey}\n`);
  });
  afterAll(async () => {
    await server.stop();
    rmSync(local, { recursive: true });
  });

  const file = (name: string): string => encodeURIComponent(join(local, name));
  const fingerprint = (): string => {
    const key = Buffer.from(server.hostKey?.split(" ")[1] ?? "", "base64");
    return encodeURIComponent(`SHA256:${createHash("sha256").update(key).digest("base64").replace("=", "")}`);
  };
  const withKnownHosts = (): string => `?key_file=${file("key")}&known_hosts=${file("known_hosts")}`;
  const create = async (url = `${server.url}${withKnownHosts()}`): Promise<FolderPlace> => {
    folders += 1;
    return folderOn(server.files, url, `folder ${folders}`);
  };
  const harness: FolderHarness = { name: "sftp", api, skips: {}, create: () => create() };
  filesConformance(harness);
  dropConformance(harness);

  it("takes a server by the fingerprint of its key, and none that it does not know", async () => {
    const place = await create(`${server.url}?key_file=${file("key")}&host_key=${fingerprint()}`);
    await place.put("a.csv", "1");
    const files = place.files("*.csv");
    expect(await files.list()).toHaveLength(1);
    await files.close();
    const other = encodeURIComponent(`SHA256:${"A".repeat(43)}`);
    writeFileSync(join(local, "nobody"), "");
    for (const known of [`host_key=${other}`, `known_hosts=${file("nobody")}`]) {
      const strange = filesAt(`${server.url}/*.csv?key_file=${file("key")}&${known}`, context);
      await expect(strange.list()).rejects.toMatchObject({
        code: "SINK_DENIED",
        message: expect.stringContaining(decodeURIComponent(fingerprint())),
      });
      await strange.close();
    }
    await place.dispose();
  });

  it("says that a login is refused", async () => {
    const files = filesAt(`${server.url}/*.csv?known_hosts=${file("known_hosts")}`, context);
    await expect(files.list()).rejects.toMatchObject({ code: "SINK_DENIED" });
    await files.close();
  });

  it("goes on at the byte reached each time that the connection is cut", async () => {
    const sockets = new Set<Socket>();
    const wire = await cuttingWire(Number(new URL(server.url).port), 500_000, sockets);
    const port = (wire.address() as { readonly port: number }).port;
    const url = server.url.replace(/:\d+\//, `:${port}/`);
    const place = await create(`${url}?key_file=${file("key")}&host_key=${fingerprint()}`);
    const content = Buffer.from(Array.from({ length: 90_000 }, (_, row) => `${row},name ${row}\n`).join(""));
    await place.put("large.csv", content);
    const files = place.files("large.csv");
    const opened = await files.open((await files.list())[0]?.path ?? "");
    const pieces: Uint8Array[] = [];
    for await (const piece of opened.read(0, opened.sizeBytes)) pieces.push(Buffer.from(piece));
    expect(Buffer.concat(pieces).equals(content)).toBe(true);
    await opened.close();
    await files.close();
    for (const socket of sockets) socket.destroy();
    await new Promise((resolve) => void wire.close(resolve));
    await place.dispose();
  });
});

/** Stands before a server and cuts each connection once so many bytes have come back. */
async function cuttingWire(target: number, bytesMax: number, sockets: Set<Socket>): Promise<Server> {
  const wire = createServer((client) => {
    const behind = connect(target, HOST);
    let bytes = 0;
    for (const socket of [client, behind]) {
      sockets.add(socket);
      socket.on("error", () => undefined);
      socket.on("close", () => {
        client.destroy();
        behind.destroy();
      });
    }
    client.pipe(behind);
    behind.on("data", (data) => {
      bytes += data.length;
      if (bytes > bytesMax) client.destroy();
      else client.write(data);
    });
  });
  await new Promise<void>((resolve) => wire.listen(0, HOST, resolve));
  return wire;
}
