import type { IncomingMessage, ServerResponse } from "node:http";
import type { FastifyInstance, FastifyReply, FastifyRequest } from "fastify";
import { limit } from "../core/limit.ts";

/** The body of an answer and its mark. The same object for as long as it is the same answer. */
export interface GivenAnswer {
  readonly body: Buffer;
  readonly etag: string;
}

/** The answer to a question as it stands now; undefined when it has to be looked for anew. */
export type LookAgain = () => GivenAnswer | undefined;

interface Known {
  readonly observe: Observe;
  readonly look: LookAgain;
  /** Names and values in turn, as the ordinary way gave them: those of `mark`, `size` and `id` are set for each answer. */
  readonly head: string[];
  readonly places: { readonly mark: number; readonly size: number; readonly id: number };
}

/** Of a route, told of every answer given here: seconds from the request to the last byte handed over. */
export type Observe = (seconds: number) => void;

const own = { mark: "etag", size: "content-length", id: "x-request-id" } as const;

/**
 * Requests that are word for word those that were answered before, from memory, are answered again without the
 * framework's way, which takes longer than all else about them: hooks, validation, two readings of the query. What
 * the answer says of itself is taken from the one that the ordinary way gave, so that they cannot differ; its number
 * and its time are counted as ever.
 *
 * Only what everybody may read belongs here, and nothing whose requests are limited: see `buildApp`. Whatever is not
 * quite such a request goes the ordinary way: another method, a condition, a body, a server about to close.
 */
export class ShortAnswers {
  readonly #known = new Map<string, Known>();
  readonly #requestId: () => string;
  #observer: (route: string) => Observe = () => () => undefined;
  #isClosing = false;

  constructor(requestId: () => string) {
    this.#requestId = requestId;
  }

  /** Puts itself before the framework. */
  addTo(app: FastifyInstance): void {
    const { server } = app;
    const [handle] = server.listeners("request") as ((request: IncomingMessage, response: ServerResponse) => void)[];
    if (handle === undefined) throw new TypeError("the server has no handler");
    server.removeAllListeners("request");
    server.on("request", (request: IncomingMessage, response: ServerResponse) => {
      if (!this.#answer(request, response)) handle(request, response);
    });
    app.addHook("preClose", (done) => {
      this.end();
      done();
    });
  }

  /** From now on every request goes the ordinary way. */
  end(): void {
    this.#isClosing = true;
  }

  /** `observer` gives for a route what is told of its answers. */
  watch(observer: (route: string) => Observe): void {
    this.#observer = observer;
  }

  /** Answers the very same request by itself from now on, as long as `look` finds something. Called before it is sent. */
  remember(request: FastifyRequest, reply: FastifyReply, look: LookAgain): void {
    const url = request.raw.url ?? "";
    const isNew = !this.#known.has(url) && url.length <= limit.shortAnswerUrlChars;
    if (request.method !== "GET" || !isNew) return;
    const headers = Object.entries({ ...reply.getHeaders(), [own.mark]: "", [own.size]: "", [own.id]: "" });
    const head = headers.flatMap(([name, value]) => [name, String(value)]);
    const placeOf = (name: string): number => head.indexOf(name) + 1;
    const places = { mark: placeOf(own.mark), size: placeOf(own.size), id: placeOf(own.id) };
    const observe = this.#observer(request.routeOptions.url ?? "none");
    const [oldest] = this.#known.keys();
    if (this.#known.size >= limit.shortAnswers && oldest !== undefined) this.#known.delete(oldest);
    this.#known.set(url, { observe, look, head, places });
  }

  /** False when the request is to go the ordinary way. */
  #answer(request: IncomingMessage, response: ServerResponse): boolean {
    if (request.method !== "GET" || this.#isClosing) return false;
    const known = this.#known.get(request.url ?? "");
    if (known === undefined || hasMore(request)) return false;
    const began = performance.now();
    const answer = known.look();
    if (answer === undefined) return false;
    const { head, places } = known;
    head[places.mark] = answer.etag;
    head[places.size] = String(answer.body.byteLength);
    head[places.id] = this.#requestId();
    response.writeHead(200, head);
    response.end(answer.body);
    known.observe((performance.now() - began) / 1_000);
    return true;
  }
}

/** Whether there is more to a request than its address: a condition on the answer, or a body. */
function hasMore({ headers }: IncomingMessage): boolean {
  return (
    headers["if-none-match"] !== undefined ||
    headers["content-length"] !== undefined ||
    headers["transfer-encoding"] !== undefined
  );
}
