import { execFile } from "node:child_process";
import { once } from "node:events";
import { request } from "node:https";
import { connect, createServer } from "node:net";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { describe, expect, it } from "vitest";
import { applications } from "../../apps/index.ts";
import { basic, ServedScene } from "./scene.ts";

describe("starting", () => {
  it("says that the port is taken, and leaves nothing open", async () => {
    const other = createServer().listen(0, "127.0.0.1");
    await once(other, "listening");
    const { port } = other.address() as { port: number };
    await expect(ServedScene.open([], `http.port=${port}`)).rejects.toMatchObject({ code: "ADDRESS_IN_USE" });
    other.close();
  });

  it.each([
    ["hr.too=x", "CONFIG_INVALID"],
    ["http.rateLimit=many", "CONFIG_INVALID"],
    ["hr.backupSchedule=every now and then", "CONFIG_INVALID"],
    ["hr.to=oracle://db", "SCHEME_UNKNOWN"],
    ["hr.backup=kafka://x/y", "SCHEME_UNKNOWN"],
    ["http.tlsCert=/nowhere.pem", "CONFIG_INVALID"],
  ])("refuses %s", async (flag, code) => {
    await expect(ServedScene.open(applications, flag)).rejects.toMatchObject({ code });
  });
});

describe("TLS", () => {
  it("is spoken where a certificate is given", async () => {
    const folder = await mkdtemp(join(tmpdir(), "millrace-tls-"));
    const [key, cert] = [join(folder, "key.pem"), join(folder, "cert.pem")];
    const subject = ["-subj", "/CN=localhost", "-addext", "subjectAltName=IP:127.0.0.1"];
    const made = [
      "req",
      "-x509",
      "-newkey",
      "rsa:2048",
      "-nodes",
      "-days",
      "2",
      ...subject,
      "-keyout",
      key,
      "-out",
      cert,
    ];
    await promisify(execFile)("openssl", made);
    try {
      await using scene = await ServedScene.open([], `http.tlsCert=${cert}`, `http.tlsKey=${key}`);
      expect(scene.server.url).toMatch(/^https:/);
      const ask = request(new URL("/healthz", scene.server.url), { ca: await readFile(cert), agent: false }).end();
      const [answer] = (await once(ask, "response")) as [{ statusCode: number; resume(): void }];
      answer.resume();
      expect(answer.statusCode).toBe(200);
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
  });
});

describe("stopping", () => {
  it("finishes what is under way, and takes nothing new", async () => {
    const scene = await ServedScene.open(applications, "http.rateLimit=0");
    try {
      await scene.addUser("ada", "admin");
      const body = new FormData();
      body.append("file", new Blob(["1,Baker\n"]), "jobs.csv");
      const under = scene.post("/upload", { body, headers: basic("ada") });
      const closing = scene.server.close();
      const answer = await under.catch(() => undefined);
      // Answered truly, or not at all: a request that had not arrived is refused.
      if (answer !== undefined) expect([200, 503]).toContain(answer.status);
      await closing;
      await expect(scene.get("/healthz")).rejects.toThrow("fetch failed");
      await scene.server.close();
    } finally {
      await scene[Symbol.asyncDispose]();
    }
  });
});

describe("slow clients", () => {
  it("are cut off after the time that a request may take", async () => {
    await using scene = await ServedScene.open([], "http.requestSeconds=1");
    const { hostname, port } = new URL(scene.server.url);
    const socket = connect({ host: hostname, port: Number(port) });
    let said = "";
    socket.setEncoding("utf8").on("data", (text: string) => {
      said += text;
    });
    socket.on("error", () => undefined); // a reset is as good as an end
    socket.write("POST /upload HTTP/1.1\r\nhost: x\r\ncontent-length: 100\r\n");
    await once(socket, "close");
    expect(said).toMatch(/^(HTTP\/1\.1 408 |$)/);
  }, 60_000);
});
