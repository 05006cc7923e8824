import type { Command } from "commander";
import { loadConfig } from "../runtime/config.ts";
import { dataFolder } from "../runtime/settings.ts";
import { askToReload } from "../runtime/workers/control.ts";
import { stdout } from "./screen.ts";

interface ReloadFlags {
  readonly data?: string;
  readonly config?: string;
}

const examples = `
Examples:
  $ millrace reload                               the service of .millrace takes new code and configuration
  $ millrace reload --data /var/lib/millrace

Every worker of the service is exchanged for a new one, one after another; no request is dropped. If a new one cannot
start, the old ones go on. kill -HUP of the process that was started does the same.`;

export function define(command: Command): void {
  command
    .description("Let a service that was started with --workers take new code and configuration.")
    .option("--data <folder>", "the service's data folder (standard .millrace)")
    .option("--config <file>", "the project's configuration, beside which the data folder lies")
    .addHelpText("after", examples)
    .action((flags: ReloadFlags) => reload(flags));
}

async function reload(flags: ReloadFlags): Promise<void> {
  const config = await loadConfig(process.cwd(), flags.config);
  await askToReload(dataFolder(flags.data, process.env, config.folder));
  stdout.line("reloaded");
}
