import { randomBytes } from "node:crypto";
import { afterAll, beforeAll, describe } from "vitest";
import { run, urlWith } from "../../adapters/postgres/scene.ts";
import { servers } from "../../servers/index.ts";
import { describeWith } from "../../servers/not-run.ts";
import type { Server } from "../../servers/server.ts";
import { HrService, type ServiceOptions } from "./service.ts";

/** Gives a place for the tables that nobody has used. */
type FreshPlace = () => Promise<Pick<ServiceOptions, "to">>;

/** The same promises on every kind of place, each with a service of its own that `hr` gives. */
export function describeOnPlaces(
  title: string,
  tests: (hr: () => HrService) => void,
  options: Omit<ServiceOptions, "to"> = {},
): void {
  describePlaces(title, (place) => tests(serving(async () => ({ ...options, ...(await place()) }))));
}

/** The same on every kind of place, for tests that start their services themselves. */
export function describePlaces(title: string, tests: (place: FreshPlace) => void): void {
  describe(`${title} (DuckDB)`, () => {
    tests(async () => ({}));
  });
  describeWith("postgres", `${title} (PostgreSQL)`, () => {
    tests(useDatabases());
  });
}

/** Starts a service before the tests of a suite and ends it after them. */
export function serving(options: () => ServiceOptions | Promise<ServiceOptions>): () => HrService {
  let service: HrService | undefined;
  beforeAll(async () => {
    service = await HrService.open(await options());
  });
  afterAll(() => service?.[Symbol.asyncDispose]());
  return () => {
    if (service === undefined) throw new Error("the service runs only while the tests of its suite do");
    return service;
  };
}

/** A server for a suite, and a database of it for each call; all of them are dropped after the tests. */
function useDatabases(): FreshPlace {
  let server: Server;
  const databases: string[] = [];
  beforeAll(async () => {
    server = await servers.postgres.start();
  });
  afterAll(async () => {
    for (const database of databases) await run(server.url, `drop database ${database} with (force)`);
    await server.stop();
  });
  return async () => {
    const database = `hr_${randomBytes(6).toString("hex")}`;
    await run(server.url, `create database ${database}`);
    databases.push(database);
    return { to: urlWith(server.url, { database }) };
  };
}
