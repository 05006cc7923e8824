import { fieldProblem, isMailAddress, isOnMailList, type Message, type Notifier } from "../../src/index.ts";
import { failureReport, reportOf } from "./report.ts";
import type { LoadOutcome } from "./replicating.ts";

/** Whom the report of one run goes to. */
export interface Report {
  send(outcomes: readonly LoadOutcome[]): Promise<void>;
  /** The run ended before its tickets could be looked at. */
  failed(error: unknown): Promise<void>;
}

export interface ReportingParts {
  readonly mail: Notifier;
  /** Where a mail is kept that could not be sent. */
  readonly unsent: Notifier;
  readonly webhook: Notifier | undefined;
  /** Addresses and domains that may be sent to. */
  readonly allowed: string;
  readonly notice: (text: string) => void;
}

/** Sends reports of runs: at most one mail a run, and no run fails for want of it. */
export class Reporting {
  readonly #parts: ReportingParts;

  constructor(parts: ReportingParts) {
    this.#parts = parts;
  }

  /** Throws 422 for what is no address: one with a line break, or several. */
  to(email: string | undefined): Report {
    if (email !== undefined && !isMailAddress(email)) {
      throw fieldProblem({ loc: ["body", "email"], msg: "value is not one mail address", type: "value_error.email" });
    }
    const isAllowed = email !== undefined && isOnMailList(email, this.#parts.allowed);
    const address = isAllowed ? email : undefined;
    if (email !== undefined && !isAllowed) {
      this.#parts.notice(
        "A report was asked for by an address that is not on the list of replicas.mailTo: none is sent",
      );
    }
    return {
      send: (outcomes) =>
        outcomes.length === 0 ? Promise.resolve() : this.#send((to) => reportOf(outcomes, to), address),
      failed: (error) => this.#send((to) => failureReport(error, to), address),
    };
  }

  async #send(messageTo: (to: string | undefined) => Message, address: string | undefined): Promise<void> {
    const { mail, unsent, webhook } = this.#parts;
    if (address !== undefined) {
      const message = messageTo(address);
      await mail.send(message).catch(async (error: unknown) => {
        this.#tell(`The report could not be sent, and is kept in ${unsent.shown}`, error);
        await unsent.send(message).catch((lost: unknown) => this.#tell("The report could not be kept either", lost));
      });
    }
    await webhook?.send(messageTo(undefined)).catch((error: unknown) => this.#tell("The webhook was not told", error));
  }

  #tell(what: string, error: unknown): void {
    this.#parts.notice(`${what}: ${error instanceof Error ? error.message : String(error)}`);
  }
}
