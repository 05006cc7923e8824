// Logs that are broken in one way each, and which behaviours of the suite have to notice it.
import type { LogFault } from "./log-breakage.ts";
import { appending } from "./log-faults-appending.ts";
import { failing, going, sharing } from "./log-faults-others.ts";
import { reading } from "./log-faults-reading.ts";

export const logFaults: readonly LogFault[] = [...appending, ...reading, ...going, ...sharing, ...failing];
