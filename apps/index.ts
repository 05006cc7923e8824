import type { Application } from "../src/index.ts";
import { fleet } from "./fleet/application.ts";
import { hr } from "./hr/application.ts";

/** The applications that come with Millrace. */
export const applications: readonly Application[] = [hr, fleet];
