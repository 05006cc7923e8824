import { copyFileSync, mkdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { cacheFolder, findStamped, lacking, run, type Service, stamp } from "./service.ts";

const S3_VERSION = "1.8.0";
const MONGO_VERSION = "1.24.0";

function needGo(): void {
  if (lacking("go").length > 0) throw new Error("go not found");
}

/** Builds into an empty folder of the cache. */
async function build(name: string, version: string, make: (folder: string) => Promise<void>): Promise<void> {
  needGo();
  const folder = cacheFolder(name);
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  await make(folder);
  stamp(name, version);
}

async function makeVersitygw(folder: string): Promise<void> {
  const target = `github.com/versity/versitygw/cmd/versitygw@v${S3_VERSION}`;
  await run("go", ["install", "-ldflags=-s -w", target], { env: { GOBIN: folder } });
}

/** FerretDB is embedded in a program of ours: it then needs no state folder, ports for telemetry or set-up. */
async function makeFerretdb(folder: string): Promise<void> {
  const source = fileURLToPath(new URL("./ferretdb/", import.meta.url));
  for (const file of ["main.go", "go.mod", "go.sum"]) copyFileSync(join(source, file), join(folder, file));
  await run("go", ["build", "-ldflags=-s -w", "-o", "ferretdb", "."], { cwd: folder });
}

const byHand = "install Go 1.26 or newer, then run this again";

export const s3: Service = {
  name: "s3",
  packages: [],
  install: () => build("versitygw", S3_VERSION, makeVersitygw),
  find: async () => findStamped("versitygw", S3_VERSION),
  byHand,
};

export const mongo: Service = {
  name: "mongo",
  packages: [],
  install: () => build("ferretdb", MONGO_VERSION, makeFerretdb),
  find: async () => findStamped("ferretdb", MONGO_VERSION),
  byHand,
};
