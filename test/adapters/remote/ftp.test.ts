import { execFileSync } from "node:child_process";
import { chmodSync, existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import {
  dropConformance,
  filesConformance,
  type FolderHarness,
  type FolderPlace,
} from "../../../src/conformance/index.ts";
import { type FtpServer, startFtp } from "../../servers/ftp.ts";
import { describeWith } from "../../servers/not-run.ts";
import { filesAt } from "../../../src/runtime/source-files.ts";
import { folderOn, context as ownContext } from "./folder.ts";

const api = { describe, it, expect };

describeWith("ftp", "ProFTPD", () => {
  let server: FtpServer;
  let folders = 0;
  beforeAll(async () => {
    server = await startFtp();
  });
  afterAll(() => server.stop());

  const create = async (): Promise<FolderPlace> => {
    folders += 1;
    return folderOn(server.files, server.url, `folder ${folders}`);
  };
  const harness: FolderHarness = { name: "ftp", api, skips: {}, create };
  filesConformance(harness);
  dropConformance(harness);

  it("goes on at the byte reached when the server is killed amid a transfer", async () => {
    const place = await create();
    const content = Buffer.from(Array.from({ length: 900_000 }, (_, row) => `${row},name ${row}\n`).join(""));
    await place.put("large.csv", content);
    const files = place.files("large.csv");
    const file = await files.open((await files.list())[0]?.path ?? "");
    const pieces: Uint8Array[] = [];
    let killed = false;
    for await (const piece of file.read(0, file.sizeBytes)) {
      pieces.push(Buffer.from(piece));
      if (killed) continue;
      killed = true;
      await server.kill9();
      await server.start();
    }
    expect(Buffer.concat(pieces).equals(content)).toBe(true);
    await file.close();
    await files.close();
    await place.dispose();
  });

  it("says what is wrong with a login, without the password", async () => {
    const url = server.url.replace(":millrace@", ":not-to-be-shown@");
    const error: unknown = await filesAt(`${url}*.csv`, ownContext)
      .list()
      .catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ code: "SINK_DENIED" });
    expect(JSON.stringify(error, Object.getOwnPropertyNames(error))).not.toContain("not-to-be-shown");
  });

  it.runIf(process.getuid?.() === 0)("says that a file may not be read, and that a folder takes nothing", async () => {
    const place = await create();
    await place.put("closed.csv", "secret");
    const folder = join(server.files, `folder ${folders}`);
    chmodSync(join(folder, "closed.csv"), 0);
    const files = place.files("*.csv");
    const file = await files.open((await files.list())[0]?.path ?? "");
    const reading = async (): Promise<void> => {
      for await (const _ of file.read(0, 6));
    };
    await expect(reading()).rejects.toMatchObject({ code: "FILE_UNREADABLE" });
    chmodSync(folder, 0o555);
    await expect(files.move(file.path, "done")).rejects.toMatchObject({ code: "SINK_DENIED" });
    await file.close();
    await files.close();
    await place.dispose();
  });
});

// Debian keeps it in a package of its own.
const tlsModule = "/usr/lib/proftpd/mod_tls.so";

describe.skipIf(!existsSync(tlsModule))("ProFTPD over TLS", () => {
  let server: FtpServer;
  let folder: string;
  let folders = 0;
  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), "millrace-ftps-"));
    const [key, certificate] = [join(folder, "key.pem"), join(folder, "certificate.pem")];
    const name = ["-subj", "/CN=millrace", "-addext", "subjectAltName=IP:127.0.0.1"];
    const kind = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2"];
    execFileSync("openssl", ["req", "-x509", ...kind, ...name, "-keyout", key, "-out", certificate], { stdio: "pipe" });
    server = await startFtp({ settings: tlsSettings(key, certificate) });
  });
  afterAll(async () => {
    await server.stop();
    rmSync(folder, { recursive: true });
  });

  const secureUrl = (): string => server.url.replace(/^ftp:/, "ftps:");
  const create = async (): Promise<FolderPlace> => {
    folders += 1;
    const authority = `?tls_ca=${encodeURIComponent(join(folder, "certificate.pem"))}`;
    return folderOn(server.files, `${secureUrl()}${authority}`, `folder ${folders}`);
  };
  const harness: FolderHarness = { name: "ftps", api, skips: {}, create };
  filesConformance(harness);
  dropConformance(harness);

  it("trusts no certificate of which it knows nothing", async () => {
    const files = filesAt(`${secureUrl()}*.csv`, ownContext);
    await expect(files.list()).rejects.toMatchObject({ code: "SINK_DENIED" });
    await files.close();
  });
});

function tlsSettings(key: string, certificate: string): string {
  return `LoadModule mod_tls.c
TLSEngine on
TLSRequired off
TLSECCertificateFile ${certificate}
TLSECCertificateKeyFile ${key}
TLSVerifyClient off`;
}
