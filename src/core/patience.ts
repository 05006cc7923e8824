import { type FailureKind, retryPauseMs } from "./retry.ts";
import { pauseUnlessAborted, type Time } from "./time.ts";

export interface PatienceParts {
  readonly time: Time;
  /** Ends pauses early. */
  readonly signal: AbortSignal;
  /** What is borne at most, since something worked. */
  readonly patienceMs: number;
  readonly classify: (error: unknown) => FailureKind;
  /** From 0 to 1: so that those who wait for the same thing do not all come back at the same moment. */
  readonly random: () => number;
}

/** Of a loop that has no end: bears what passes by itself, as long as it does not last. */
export class Patience {
  readonly #parts: PatienceParts;
  #failures = 0;
  #failingSince = 0;

  constructor(parts: PatienceParts) {
    this.#parts = parts;
  }

  /** Something worked. */
  renew(): void {
    this.#failures = 0;
  }

  /** Pauses before the next attempt, or throws the error when it does not pass, or has lasted too long. */
  async bear(error: unknown): Promise<void> {
    const { time, signal, patienceMs, classify, random } = this.#parts;
    if (this.#failures === 0) this.#failingSince = time.now();
    if (classify(error) !== "wait" || time.now() - this.#failingSince >= patienceMs) throw error;
    this.#failures += 1;
    await pauseUnlessAborted(retryPauseMs(this.#failures, random()), time, signal);
  }
}
