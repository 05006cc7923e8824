import { randomUUID } from "node:crypto";
import { MillraceError } from "../../core/error.ts";
import { limit } from "../../core/limit.ts";
import type { Place } from "../../core/place.ts";
import type { Message, Notifier, NotifierFactory } from "../../ports/notifier.ts";

/** Messages as JSON to an address of the web. */
export const webhookNotifier: NotifierFactory = (place) => new WebhookNotifier(place);

class WebhookNotifier implements Notifier {
  readonly shown: string;
  readonly #url: string;

  constructor(place: Place) {
    this.shown = place.shown;
    this.#url = place.url.trim();
  }

  async send({ subject, text, data }: Message): Promise<void> {
    const answer = await this.#post(JSON.stringify({ subject, text, ...data }));
    if (answer.ok) return;
    const isPassing = answer.status >= 500 || answer.status === 429;
    throw new MillraceError(isPassing ? "SINK_BUSY" : "SINK_REFUSED", `${this.shown} answers ${answer.status}`, {
      remedy: isPassing ? "It may take it later." : "Check the address.",
    });
  }

  close(): Promise<void> {
    return Promise.resolve();
  }

  async #post(body: string): Promise<Response> {
    const headers = { "content-type": "application/json", "idempotency-key": randomUUID() };
    try {
      const signal = AbortSignal.timeout(limit.mailMs);
      const answer = await fetch(this.#url, { method: "POST", headers, body, signal, redirect: "error" });
      await answer.body?.cancel();
      return answer;
    } catch (cause) {
      throw new MillraceError("SINK_UNREACHABLE", `${this.shown} does not answer`, {
        remedy: "Check the address, and that the network reaches it.",
        cause,
      });
    }
  }
}
