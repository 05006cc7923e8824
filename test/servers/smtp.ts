import { existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { freePort, HOST, inFolder } from "./place.ts";
import { findProgram, needProgram } from "./program.ts";
import { type RestartableServer, serve } from "./server.ts";
import { runTool } from "./tool.ts";
import { Wire } from "./wire.ts";

/** A mail server that keeps what it gets. */
export interface SmtpServer extends RestartableServer {
  /** TLS from the first byte. */
  readonly tlsUrl: string;
  /** Who signed its certificate. */
  readonly ca: string;
  readonly passwordFile: string;
  /** Messages so far, each with its envelope as the first header. */
  messages(): string[];
}

const SERVICE = "smtp";
/** Debian's: another one on the PATH would not find its modules. */
const PYTHON = "/usr/bin/python3";
const MODULE = "/usr/lib/python3/dist-packages/aiosmtpd";
const script = join(import.meta.dirname, "fixtures", "smtp-server.py");

export function availableSmtp(): boolean {
  return existsSync(PYTHON) && existsSync(MODULE) && findProgram("openssl") !== undefined;
}

/** Answers with how the server greets. */
export async function askSmtp({ url }: { readonly url: string }): Promise<string> {
  using wire = await Wire.to(url);
  const greeting = await wire.line();
  if (!greeting.startsWith("220 ")) throw new Error(`Unexpected greeting ${greeting}`);
  return greeting.slice(4);
}

export async function startSmtp(): Promise<SmtpServer> {
  const openssl = needProgram(SERVICE, "openssl");
  return inFolder(SERVICE, undefined, async (folder) => {
    const [port, tlsPort] = [await freePort(), await freePort()];
    const names = ["-subj", `/CN=${HOST}`, "-addext", `subjectAltName=IP:${HOST}`];
    const key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-keyout", "key.pem"];
    await runTool({
      command: openssl,
      args: ["req", "-x509", ...key, "-out", "cert.pem", "-days", "2", ...names],
      folder,
    });
    const passwordFile = join(folder, "password");
    writeFileSync(passwordFile, "a fine password", { mode: 0o600 });
    const url = `smtp://${HOST}:${port}`;
    const server = await serve({
      ...{ service: SERVICE, url, folder, command: PYTHON, args: [script, folder, String(port), String(tlsPort)] },
      ask: () => askSmtp({ url }),
    });
    return Object.assign(server, {
      tlsUrl: `smtps://${HOST}:${tlsPort}`,
      ca: join(folder, "cert.pem"),
      passwordFile,
      messages: () =>
        readdirSync(folder)
          .filter((name) => name.endsWith(".eml"))
          .sort((a, b) => Number.parseInt(a, 10) - Number.parseInt(b, 10))
          .map((name) => readFileSync(join(folder, name), "utf8")),
    });
  });
}
