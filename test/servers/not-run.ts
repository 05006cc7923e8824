import "./not-run-line.ts"; // The type of what is noted.
import { describe } from "vitest";
import { available, type ServiceName } from "./index.ts";

/** A `describe` for tests that need a service, or several; where one is missing they are skipped, and it is said. */
export function describeWith(service: ServiceName | readonly ServiceName[], title: string, fn: () => void): void {
  const needed = typeof service === "string" ? [service] : service;
  const missing = needed.filter((name) => !available(name));
  // oxlint-disable-next-line vitest/valid-describe-callback -- the options stand second, the function third
  describe(title, { skip: missing.length > 0, meta: { notRun: missing } }, fn);
}
