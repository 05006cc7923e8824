import { createHash } from "node:crypto";
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { putFile } from "../../adapters/remote/folder.ts";
import { describeWith } from "../../servers/not-run.ts";
import { type SshServer, startSsh } from "../../servers/ssh.ts";
import { ReplicasScene } from "./scene.ts";

describeWith("ssh", "replicas whose files lie on an SFTP server", () => {
  let server: SshServer;
  let local: string;
  beforeAll(async () => {
    server = await startSsh();
    local = mkdtempSync(join(tmpdir(), "millrace-replicas-sftp-"));
    writeFileSync(join(local, "key"), server.privateKey ?? "", { mode: 0o600 });
  });
  afterAll(async () => {
    await server.stop();
    rmSync(local, { recursive: true });
  });

  it("are registered, loaded and read, and their tickets are answered there", async () => {
    const key = Buffer.from(server.hostKey?.split(" ")[1] ?? "", "base64");
    const fingerprint = `SHA256:${createHash("sha256").update(key).digest("base64").replace("=", "")}`;
    const options = `key_file=${encodeURIComponent(join(local, "key"))}&host_key=${encodeURIComponent(fingerprint)}`;
    await using scene = await ReplicasScene.open(`replicas.from=${server.url}?${options}`);
    putFile(server.files, "people.csv", "id,name\n1,Ana\n2,Luis\n3,Eva\n");
    const ticket = { file_name: "people.csv", status: "READY", prim_index: "id", load_dttm: "2022-02-22:19:35:32" };
    putFile(server.files, "people.ticket", JSON.stringify(ticket));
    await scene.load();
    expect(await scene.rows("people", 2)).toEqual({ 1: ["Ana"], 2: ["Luis"] });
    expect(readFileSync(join(server.files, "people.ticket"), "utf8")).toContain("PROCESSED");
    expect(readdirSync(server.files).filter((name) => name.endsWith(".part"))).toEqual([]);
  });
});
