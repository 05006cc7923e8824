import { join } from "node:path";
import { freePort, HOST, inFolder } from "./place.ts";
import { entries, findProgram, needProgram, ServiceMissing, servicesFolder } from "./program.ts";
import { foreignServer, givenUrl, type RestartableServer, type Server, serve } from "./server.ts";

const SERVICE = "registry";
const JVM = ["-Xmx256m", "-XX:-UsePerfData", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Xshare:auto"];
const START_MS = 90_000;

function appFolder(): string {
  return join(servicesFolder(), SERVICE, "app");
}

function jarOf(folder: string): string | undefined {
  return entries(folder).find((name) => name.endsWith("-runner.jar"));
}

/** Asks for the subjects that it has. */
export async function askRegistry({ url }: Pick<Server, "url">): Promise<string> {
  const response = await fetch(`${url}/subjects`);
  const subjects: unknown = await response.json();
  if (!response.ok || !Array.isArray(subjects)) throw new Error(`Unexpected answer ${response.status}`);
  return `the registry lists ${subjects.length} subjects`;
}

export function availableRegistry(): boolean {
  return findProgram("java") !== undefined && jarOf(appFolder()) !== undefined;
}

/** A schema registry that keeps nothing behind its end; `url` is the root of Confluent's API. */
export async function startRegistry(): Promise<RestartableServer> {
  const given = givenUrl(SERVICE);
  if (given !== undefined) return foreignServer(SERVICE, given);
  const jar = jarOf(appFolder());
  if (jar === undefined) throw new ServiceMissing(SERVICE, appFolder());
  const java = needProgram(SERVICE, "java");
  return inFolder(SERVICE, undefined, async (folder) => {
    const port = await freePort();
    const url = `http://${HOST}:${port}/apis/ccompat/v7`;
    const settings = [`-Dquarkus.http.port=${port}`, `-Dquarkus.http.host=${HOST}`, `-Djava.io.tmpdir=${folder}`];
    return serve({
      service: SERVICE,
      url,
      folder,
      command: java,
      args: [...JVM, ...settings, "-jar", join(appFolder(), jar)],
      ask: () => askRegistry({ url }),
      startMs: START_MS,
    });
  });
}
