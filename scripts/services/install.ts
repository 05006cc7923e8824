import { services } from "./catalogue.ts";
import { canInstall, installPackages } from "./debian.ts";
import { dockerAnswers, inDocker, startInDocker } from "./docker.ts";
import type { Service } from "./service.ts";
import { table } from "./table.ts";

interface Outcome {
  version: string;
  where: string;
  /** Undefined when the server is there. */
  reason?: string;
  /** The environment setting the tests need to use it. */
  setting?: string;
}

async function find(service: Service): Promise<Outcome | undefined> {
  try {
    return await service.find();
  } catch (error) {
    return { version: "-", where: "-", reason: (error as Error).message };
  }
}

function failed(service: Service, error: Error | undefined): Outcome {
  const root = canInstall() ? "" : "; or as root on Debian: sudo npm run services";
  return { version: "-", where: "-", reason: `${error?.message ?? "not here"}. ${service.byHand}${root}` };
}

/** Makes what no package carries, then looks whether the server is there now. */
async function make(service: Service, packages: Map<string, Error>): Promise<Outcome> {
  const refused = service.packages.map((name) => packages.get(name)).find((error) => error !== undefined);
  try {
    await service.install?.();
    return (await find(service)) ?? failed(service, refused);
  } catch (error) {
    return failed(service, refused ?? (error as Error));
  }
}

async function tryDocker(service: Service, before: Outcome): Promise<Outcome> {
  try {
    const setting = await startInDocker(service.name);
    return { version: "-", where: "docker compose", setting };
  } catch (error) {
    return { ...before, reason: `${before.reason}; docker: ${(error as Error).message}` };
  }
}

/** Answers with the packages that could not be had, and why. */
async function addPackages(missing: Service[]): Promise<Map<string, Error>> {
  const packages = [...new Set(missing.flatMap((service) => service.packages))];
  if (packages.length === 0 || !canInstall()) return new Map();
  console.log(`Installing ${packages.join(" ")}`);
  return installPackages(packages);
}

/** Packages come first, as some of them are needed to make the rest. */
async function obtain(missing: Service[]): Promise<Map<Service, Outcome>> {
  const refused = await addPackages(missing);
  const outcomes = new Map<Service, Outcome>();
  for (const service of missing) {
    if (service.install !== undefined) console.log(`Making ${service.name}`);
    outcomes.set(service, await make(service, refused));
  }
  return outcomes;
}

async function fallBackToDocker(outcomes: Map<Service, Outcome>): Promise<void> {
  const failures = [...outcomes].filter(([service, outcome]) => outcome.reason !== undefined && inDocker(service.name));
  if (failures.length === 0 || !(await dockerAnswers())) return;
  for (const [service, outcome] of failures) outcomes.set(service, await tryDocker(service, outcome));
}

function oneLine(text: string): string {
  return text.replace(/\s+/g, " ").trim();
}

function report(outcomes: Map<Service, Outcome>): void {
  const rows = [...outcomes].map(([service, { version, where, reason }]) => {
    return [service.name, version, where, reason === undefined ? "ok" : `failed: ${oneLine(reason)}`];
  });
  console.log(table([["service", "version", "where", "result"], ...rows]));
  const settings = [...outcomes.values()].flatMap(({ setting }) => setting ?? []);
  if (settings.length > 0)
    console.log(`\nFor the tests to use them:\n${settings.map((it) => `export ${it}`).join("\n")}`);
}

/** Installs every server the tests use; false when one could not be had. */
export async function installServices(): Promise<boolean> {
  const found = await Promise.all(services.map(find));
  const missing = services.filter((_, index) => found[index] === undefined);
  const obtained = await obtain(missing);
  await fallBackToDocker(obtained);
  const outcomes = new Map<Service, Outcome>();
  services.forEach((service, index) => {
    const outcome = obtained.get(service) ?? found[index];
    if (outcome !== undefined) outcomes.set(service, outcome);
  });
  report(outcomes);
  return [...outcomes.values()].every(({ reason }) => reason === undefined);
}
