import { toMillraceError } from "../core/error.ts";
import { type Application, runApplication } from "../http/server.ts";
import { loadConfig, parseBytes } from "../runtime/config.ts";
import { dataFolder } from "../runtime/settings.ts";
import { builtInApplications } from "./applications.ts";
import { reportFailure } from "./failure.ts";
import { given } from "./flags.ts";
import { stderr, stdout } from "./screen.ts";
import { safeText } from "./shown.ts";
import { asInterruption, stopOnSignal } from "./stop.ts";
import { TurnProgress } from "./turn-progress.ts";

/** The flags of `millrace run` that an application takes. */
export interface ApplicationFlags {
  readonly config?: string;
  readonly data?: string;
  readonly set?: readonly string[];
  readonly once?: boolean;
  readonly memory?: number;
  readonly parallel?: number;
  readonly partitions?: number;
  readonly json?: boolean;
  readonly verbose?: boolean;
}

/** The application that is meant when one name alone is given, and no pipeline's module. */
export async function applicationNamed(wanted: readonly string[]): Promise<Application | undefined> {
  const [name] = wanted;
  if (name === undefined || wanted.length > 1 || !/^[a-z][a-z0-9]*$/.test(name)) return undefined;
  return (await builtInApplications()).find((one) => one.name === name);
}

/** Does the application's turns, once or until stopped. */
export async function runTurns(application: Application, flags: ApplicationFlags): Promise<void> {
  const stop = stopOnSignal();
  const progress = new TurnProgress(stdout, flags.json === true);
  const verbose = flags.verbose === true || process.env["MILLRACE_DEBUG"] === "1";
  const fail = (error: unknown): number =>
    reportFailure(toMillraceError(error), { json: flags.json === true, verbose });
  try {
    const config = await loadConfig(process.cwd(), flags.config);
    const memoryBytes = flags.memory ?? (config.memory === undefined ? undefined : parseBytes(config.memory));
    await runApplication({
      ...{ application, config, watch: progress, signal: stop.signal, once: flags.once === true },
      data: dataFolder(flags.data, process.env, config.folder),
      flags: [...(flags.set ?? []), ...sized(application, flags)],
      environment: process.env,
      onEvent: (event) => {
        if (event.kind === "notice") stderr.line(safeText(event.text));
      },
      onFailure: (error) => void fail(error),
      ...given({ memoryBytes }),
    });
    process.exitCode = stop.signal.aborted ? 130 : 0;
  } catch (error) {
    const failure = toMillraceError(asInterruption(error, stop));
    process.exitCode = failure.code === "INTERRUPTED" ? 130 : fail(failure);
  } finally {
    progress.end();
    stop.dispose();
  }
}

function sized({ name }: Application, { parallel, partitions }: ApplicationFlags): string[] {
  return [
    ...(parallel === undefined ? [] : [`${name}.parallel=${parallel}`]),
    ...(partitions === undefined ? [] : [`${name}.partitions=${partitions}`]),
  ];
}
