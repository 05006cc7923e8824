import type { Application } from "../src/index.ts";
import { fleet } from "./fleet/application.ts";
import { hr } from "./hr/application.ts";
import { replicas } from "./replicas/application.ts";
import { rows } from "./rows/application.ts";

/** The applications that come with Millrace. */
export const applications: readonly Application[] = [hr, fleet, replicas, rows];
