import "vitest";

declare module "vitest" {
  interface TaskMeta {
    /** The services whose absence kept these tests from running; the reporter names them. */
    notRun?: string[];
  }
}

/** The line a person sees at the end of the run. */
export function notRunLine(service: string): string {
  return `NOT RUN: ${service} (no server; npm run services)`;
}
