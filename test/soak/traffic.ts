import { setTimeout as pause } from "node:timers/promises";
import { Agent, request } from "undici";

export interface TrafficOptions {
  readonly url: string;
  readonly vehicles: number;
  /** Between two events of a vehicle. */
  readonly delayMs: number;
  /** In [0, 1). */
  readonly random: () => number;
  /** Part of the vehicles' names: other traffic has others. */
  readonly name: string;
}

const requestMs = 10_000;
const retryMsMax = 400;
const giveUpMs = 120_000;
const headers = { "content-type": "application/x-www-form-urlencoded" };

/** Vehicles that send each event again and again until it is answered with 200, and remember it then. */
export class Traffic {
  readonly #options: TrafficOptions;
  readonly #agent = new Agent({ connections: 32, headersTimeout: requestMs, bodyTimeout: requestMs });
  readonly #vehicles: Promise<void>[];
  #isStopping = false;
  /** `vin timestamp` of events that were answered. */
  readonly answered = new Set<string>();
  retries = 0;

  constructor(options: TrafficOptions) {
    this.#options = options;
    this.#vehicles = Array.from({ length: options.vehicles }, (_, index) => this.#drive(index));
  }

  /** Sends no new events; resolves when those under way are answered. Throws when one is not answered at all. */
  async stop(): Promise<void> {
    this.#isStopping = true;
    try {
      await Promise.all(this.#vehicles);
    } finally {
      await this.#agent.destroy();
    }
  }

  async #drive(index: number): Promise<void> {
    const { name, delayMs, random } = this.#options;
    const vin = `${name}${String(index).padStart(17 - name.length, "0")}`;
    for (let count = 0; !this.#isStopping; count += 1) {
      const timestamp = 1_790_000_000 + count / 8;
      const fields = {
        timestamp,
        make: "Ford",
        model: "Explorer",
        position_x: 0.25,
        position_y: 0.5,
        position_z: count,
      };
      await this.#untilAnswered(
        new URLSearchParams(Object.entries({ ...fields, speed: 1.5, vin }).map(pair)).toString(),
      );
      this.answered.add(`${vin} ${timestamp}`);
      await pause(delayMs * 2 * random());
    }
  }

  async #untilAnswered(body: string): Promise<void> {
    const deadline = Date.now() + giveUpMs;
    while ((await this.#send(body)) !== 200) {
      if (Date.now() > deadline) throw new Error(`${body} was not answered within ${giveUpMs} ms`);
      this.retries += 1;
      await pause(retryMsMax * this.#options.random());
    }
  }

  async #send(body: string): Promise<number | undefined> {
    try {
      const url = `${this.#options.url}/events`;
      const { statusCode, body: answer } = await request(url, {
        method: "POST",
        headers,
        body,
        dispatcher: this.#agent,
      });
      await answer.dump();
      return statusCode;
    } catch {
      return undefined; // Whatever happened to it, it is sent again.
    }
  }
}

const pair = ([name, value]: [string, unknown]): [string, string] => [name, String(value)];
