/** A place that a setting of an application names. */
export interface UsedPlace {
  readonly setting: string;
  /** Without secrets. */
  readonly shown: string;
}

/** What a worker tells once it answers requests. */
export interface Listening {
  readonly url: string;
  readonly places: readonly UsedPlace[];
  readonly hasUsers: boolean;
  /** Where it takes requests that only the worker with the pipelines can answer. */
  readonly socket?: string;
}

/** How often something was counted in the window that is open, and how long that stays open. */
export interface Counted {
  readonly current: number;
  /** Milliseconds. */
  readonly ttl: number;
}

export interface Count {
  readonly key: string;
  readonly windowMs: number;
}

/** What workers ask the process that keeps them. */
export const ofKeeper = { listening: "listening", count: "count", figures: "figures" } as const;

/** What it asks them: `work` says that a worker is to run the pipelines from now on, `peer` who does. */
export const ofWorker = { work: "work", peer: "peer", stop: "stop", figures: "figures" } as const;

/** In a worker's environment: its number, from 1 on, and the port that was chosen for all. */
export const workerVariable = "MILLRACE_WORKER";
export const portVariable = "MILLRACE_WORKER_PORT";
