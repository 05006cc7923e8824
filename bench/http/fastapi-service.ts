import { randomBytes, scryptSync } from "node:crypto";
import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { canInstall, installPackages } from "../../scripts/services/debian.ts";
import { freePort, HOST, inFolder } from "../../test/servers/place.ts";
import { runProgram } from "../program.ts";
import { type Service, startService } from "./service.ts";
import { uploader } from "./upload-form.ts";

const appFolder = fileURLToPath(new URL("../rivals/fastapi", import.meta.url));

/** The system's own, which has Debian's packages; another one may come first on the PATH. */
const python = "/usr/bin/python3";
const modules = ["fastapi", "uvicorn", "pandas", "psycopg2", "uvloop", "httptools"] as const;
const packages = [...modules.map((name) => `python3-${name}`), "python3-multipart"];

export type RivalVersions = Readonly<Record<"python" | (typeof modules)[number], string>>;

/** Versions of what the rival runs on, installed from Debian where that is possible. Undefined where it is not. */
export async function obtainFastapi(): Promise<RivalVersions | undefined> {
  const found = await versions();
  if (found !== undefined || !canInstall()) return found;
  await installPackages(packages);
  return versions();
}

async function versions(): Promise<RivalVersions | undefined> {
  if (!existsSync(python)) return undefined;
  const script = `import json, platform, multipart, ${modules.join(", ")}
versions = {name: globals()[name].__version__.split()[0] for name in ${JSON.stringify(modules)}}
print(json.dumps({"python": platform.python_version(), **versions}))`;
  try {
    return JSON.parse((await runProgram(python, ["-c", script])).stdout) as RivalVersions;
  } catch {
    return undefined; // Something is not there.
  }
}

/** The rival with its table in a database, in so many processes. */
export function startFastapi(database: string, workers: number): Promise<Service> {
  return inFolder("bench", undefined, async (folder) => {
    const port = await freePort();
    const quiet = ["--no-access-log", "--log-level", "warning"];
    const place = ["--app-dir", appFolder, "--host", HOST, "--port", String(port), "--workers", String(workers)];
    const args = ["-m", "uvicorn", "app:app", ...place, ...quiet];
    const env = { RIVAL_DATABASE: database, RIVAL_USER: keptUser(), PYTHONDONTWRITEBYTECODE: "1" };
    return startService({ name: "fastapi", folder, port, command: python, args, env, readyPath: "/" });
  });
}

/** As hard to compute as Millrace's. */
function keptUser(): string {
  const salt = randomBytes(16);
  const hash = scryptSync(uploader.password, salt, 32, { N: 2 ** 15, r: 8, p: 3, maxmem: 64 * 2 ** 20 });
  return [uploader.name, salt.toString("hex"), hash.toString("hex")].join(":");
}
