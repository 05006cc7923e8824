import { callbackify } from "node:util";
import type { FastifyRateLimitStore, FastifyRateLimitStoreCtor, RateLimitPluginOptions } from "@fastify/rate-limit";
import type { Member } from "../runtime/workers/member.ts";

type Counting = Pick<Member, "count">;

/** Counts of requests that all workers of a service share: each asks the process that keeps them. */
export function sharedLimitStore(member: Counting): FastifyRateLimitStoreCtor {
  return class implements FastifyRateLimitStore {
    readonly #route: string;

    constructor(_: RateLimitPluginOptions, route = "") {
      this.#route = route;
    }

    incr(
      key: string,
      done: (error: Error | null, counted?: { current: number; ttl: number }) => void,
      windowMs: number,
    ): void {
      callbackify(() => member.count({ key: `${this.#route} ${key}`, windowMs }))(done);
    }

    child(options: { readonly routeInfo?: { readonly method?: unknown; readonly url?: string } } & object) {
      const { method, url } = options.routeInfo ?? {};
      return new (this.constructor as new (_: object, route: string) => this)(options, `${String(method)} ${url}`);
    }
  };
}
