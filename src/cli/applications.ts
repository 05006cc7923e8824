import type { Application } from "../http/server.ts";

/** The applications that come with Millrace, loaded when they are needed: the one arrow from the command line upwards. */
export async function builtInApplications(): Promise<readonly Application[]> {
  return (await import("../../apps/index.ts")).applications;
}
