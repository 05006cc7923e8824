import { MillraceError } from "../core/error.ts";
import type { LoadedConfig } from "../runtime/config.ts";
import { Service, type ServiceEvent, turnPauseMs } from "../runtime/service.ts";
import { Settings } from "../runtime/settings.ts";
import type { Application, Cycle, CycleWatch } from "./application.ts";
import { applicationContext } from "./application-context.ts";

export interface ApplicationRun {
  readonly application: Application;
  readonly config: Pick<LoadedConfig, "file" | "settings" | "stateSchema">;
  /** `GROUP.NAME=VALUE`. */
  readonly flags: readonly string[];
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly data: string;
  readonly memoryBytes?: number;
  /** One turn alone, with what is there now. */
  readonly once: boolean;
  readonly watch: CycleWatch;
  readonly signal: AbortSignal;
  readonly onEvent: (event: ServiceEvent) => void;
  /** Told of a turn that failed, when there will be another one. */
  readonly onFailure: (error: unknown) => void;
}

/** Does the turns of an application, without serving it. Rejects with what the application's places say, PIPELINE_UNKNOWN. */
export async function runApplication(options: ApplicationRun): Promise<void> {
  const { application, environment, config, data, flags } = options;
  const { name } = application;
  const settings = new Settings({ [name]: application.settings }, { flags, environment, config, data }, { only: true });
  const service = await Service.open(options);
  try {
    const context = applicationContext(service, name, settings.of(name, application.settings), false);
    const opened = await application.open(context);
    try {
      if (opened.cycle === undefined) throw notInTurns(name);
      await turns(opened.cycle, service, options);
    } finally {
      await opened.close?.();
    }
  } finally {
    service.announceStop();
    await service.close();
  }
}

async function turns(cycle: Cycle, service: Service, options: ApplicationRun): Promise<void> {
  const { once, signal, watch } = options;
  const stop = (): void => service.announceStop();
  signal.addEventListener("abort", stop, { once: true });
  try {
    for (let idle = 0; !signal.aborted; ) {
      try {
        idle = (await cycle.turn(watch)) ? 0 : idle + 1;
      } catch (error) {
        if (once || signal.aborted) throw error;
        options.onFailure(error);
        idle += 1;
      }
      if (once) return;
      // Who stops meanwhile need not wait.
      await service.session.context.pause(turnPauseMs(idle), signal).catch(() => undefined);
    }
  } finally {
    signal.removeEventListener("abort", stop);
  }
}

function notInTurns(name: string): MillraceError {
  return new MillraceError("PIPELINE_UNKNOWN", `The application ${name} has nothing to run beside its service`, {
    remedy: "Start it with millrace start.",
  });
}
