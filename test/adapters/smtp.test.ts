import { chmodSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { emlNotifier, smtpNotifier } from "../../src/adapters/smtp/index.ts";
import { isMailAddress, isOnMailList } from "../../src/core/mail-address.ts";
import { parsePlace } from "../../src/core/place.ts";
import type { AdapterContext } from "../../src/ports/adapter.ts";
import type { Message } from "../../src/ports/notifier.ts";
import { describeWith } from "../servers/not-run.ts";
import { type SmtpServer, startSmtp } from "../servers/smtp.ts";

const context: AdapterContext = {
  engine: { connect: () => Promise.reject(new Error("mail needs no engine")), uniqueName: (prefix) => prefix },
  now: () => Date.UTC(2022, 1, 22),
  pause: async () => undefined,
  notice: () => undefined,
};

const message = (to = "ada@example.org"): Message => ({
  to: [to],
  subject: "A report: Größe",
  text: "plain text",
  html: '<p>Größe</p><img src="cid:chart@millrace">',
  pictures: [{ id: "chart@millrace", name: "chart.png", type: "image/png", bytes: Buffer.from("picture") }],
  data: {},
});

const send = (url: string, to?: string): Promise<unknown> =>
  smtpNotifier(parsePlace(url), context)
    .send(message(to))
    .then(
      () => "sent",
      (error: unknown) => {
        const { code, name, message: words } = error as Error & { readonly code?: string };
        return `${code ?? name}: ${words}`;
      },
    );

describeWith("smtp", "mail through a server", () => {
  let server: SmtpServer;
  let options: string;
  beforeAll(async () => {
    server = await startSmtp();
    options = `from=millrace@example.org&tls_ca=${server.ca}&password_file=${server.passwordFile}`;
  });
  afterAll(() => server.stop());
  const as = (url: string, user = "reports"): string => url.replace("://", `://${user}@`);

  it("is encrypted, by STARTTLS or from the first byte, and arrives as text and as HTML with its picture", async () => {
    expect(await send(`${as(server.url)}?${options}`)).toBe("sent");
    expect(await send(`${as(server.tlsUrl)}?${options}`)).toBe("sent");
    const [start = "", implicit = ""] = server.messages().slice(-2);
    for (const mail of [start, implicit]) {
      expect(mail).toMatch(/^X-Envelope: millrace@example\.org > ada@example\.org; tls=True/);
      expect(mail).toMatch(/^Subject: =\?UTF-8\?Q\?A_report=3A_Gr=C3=B6=C3=9Fe\?=\r?$/m);
      for (const part of ["text/plain; charset=utf-8", "text/html; charset=utf-8", "multipart/related"])
        expect(mail).toContain(part);
      expect(mail).toContain("Content-ID: <chart@millrace>");
      expect(mail).toContain("Content-Disposition: inline; filename=chart.png");
    }
  });

  it("that the server refuses or puts off, and a password that is wrong, are told without the password", async () => {
    expect(await send(`${as(server.url)}?${options}`, "refused@example.org")).toMatch(
      /^SINK_REFUSED: .*nobody of that name/,
    );
    expect(await send(`${as(server.url)}?${options}`, "later@example.org")).toMatch(/^SINK_BUSY: .*come again later/);
    const other = await send(`${as(server.url, "somebody")}?${options}`);
    expect(other).toMatch(/^SINK_DENIED: /);
    expect(other).not.toContain("fine password");
    expect(await send("smtp://127.0.0.1:1?tls=false")).toMatch(/^SINK_UNREACHABLE: /);
  });

  it("is sent to no server whose certificate nobody vouches for, and with no password that others may read", async () => {
    const before = server.messages().length;
    const unvouched = options.replace(/tls_ca=[^&]*&/, "");
    expect(await send(`${as(server.url)}?${unvouched}`)).toMatch(/^SINK_UNREACHABLE: /);
    expect(await send(`${as(server.tlsUrl)}?${unvouched}`)).toMatch(/^SINK_UNREACHABLE: /);
    chmodSync(server.passwordFile, 0o644);
    expect(await send(`${as(server.url)}?${options}`)).toMatch(/^SINK_DENIED: .*read by others/);
    chmodSync(server.passwordFile, 0o600);
    expect(await send(`${as(server.url)}?${options.replace("password_file", "keyring")}`)).toMatch(
      /^SINK_DENIED: .*keyring/,
    );
    expect(server.messages()).toHaveLength(before);
  });
});

describe("a URL of a mail server", () => {
  const refusalOf = (url: string): string => {
    try {
      smtpNotifier(parsePlace(url), context);
      return "taken";
    } catch (error) {
      return (error as Error).message;
    }
  };

  it("holds no password, and asks for none to be sent in the clear", () => {
    expect(refusalOf("smtp://me:secret@mail.example.org")).toMatch(/it holds a password/);
    expect(refusalOf("smtp://me:secret@mail.example.org")).not.toContain("secret@");
    expect(refusalOf("smtp://me@mail.example.org?tls=false&password_file=/x")).toMatch(/without TLS/);
    expect(refusalOf("smtp://me@mail.example.org?from=a%0d%0aBcc:b@example.org")).toMatch(/no mail address/);
    expect(refusalOf("smtps://me@mail.example.org?password_file=/x")).toBe("taken");
  });
});

describe("mail without a server", () => {
  it("is a file that mail programs open, for its owner alone", async () => {
    const folder = mkdtempSync(join(tmpdir(), "millrace-mail-"));
    try {
      await emlNotifier(parsePlace(`file:${join(folder, "mail")}`), context).send(message());
      const [name = ""] = readdirSync(join(folder, "mail"));
      expect(name).toMatch(/^20220222T000000000Z-[0-9a-f]{8}\.eml$/);
      const mail = readFileSync(join(folder, "mail", name), "utf8");
      expect(mail).toContain("To: ada@example.org");
      expect(mail).toContain(Buffer.from("picture").toString("base64"));
      writeFileSync(join(folder, "taken"), "");
      await expect(
        emlNotifier(parsePlace(`file:${join(folder, "taken")}`), context).send(message()),
      ).rejects.toMatchObject({ code: "DISK" });
    } finally {
      rmSync(folder, { recursive: true });
    }
  });

  it("goes to addresses alone: no line break, list or command gets through", async () => {
    const wrong = [
      "a@b\r\nBcc: c@d",
      "a@b,c@d",
      "a@b c@d",
      "<a@b>",
      "a",
      "@b",
      "a@",
      "a@b>",
      `${"a".repeat(250)}@b.cd`,
      "a@b\n",
      "a\0@b",
    ];
    expect(wrong.filter(isMailAddress)).toEqual([]);
    const to = emlNotifier(parsePlace(`file:${join(tmpdir(), "millrace-never-made")}`), context);
    await expect(to.send(message(wrong[0]))).rejects.toThrow(TypeError);
    expect(["ada@example.org", "a.b+c@mail.example.co.uk"].filter((one) => !isMailAddress(one))).toEqual([]);
    const list = "ada@example.org, example.com";
    const asked = [
      "Ada@Example.org",
      "bob@example.org",
      "bob@example.com",
      "bob@mail.example.com",
      "bob@notexample.com",
    ];
    expect(asked.map((address) => isOnMailList(address, list))).toEqual([true, false, true, false, false]);
    expect(isOnMailList("a@b.c", "")).toBe(false);
  });
});
