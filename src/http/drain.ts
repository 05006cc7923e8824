import { Server } from "node:net";
import type { FastifyInstance } from "fastify";
import { limit } from "../core/limit.ts";
import type { Time } from "../core/time.ts";

const looksEveryMs = 50;

/**
 * Lets callers go over to another process that listens at the same port: no connection is cut on which a request may be
 * on its way. Every answer says that its connection ends with it, and what is kept alive is waited for.
 */
export class Drain {
  readonly #app: FastifyInstance;
  #isOpen = true;

  /** Before the routes are added. */
  constructor(app: FastifyInstance) {
    this.#app = app;
    app.addHook("onRequest", (_, reply, done) => {
      if (!this.#isOpen) reply.header("connection", "close");
      done();
    });
  }

  /** Resolves when nobody is connected any more, or after `limit.drainMs`. */
  async run(time: Time): Promise<void> {
    const { server, shortAnswers } = this.#app;
    this.#isOpen = false;
    shortAnswers?.end();
    // Of the plain socket server: that of HTTP would also cut the connections that are idle at this moment.
    Server.prototype.close.call(server);
    const untilMs = time.now() + limit.drainMs;
    while (time.now() < untilMs && (await connectionsOf(server)) > 0) await time.pause(looksEveryMs);
  }
}

function connectionsOf(server: Server): Promise<number> {
  return new Promise((resolve, reject) => {
    server.getConnections((error, count) => (error === null ? resolve(count) : reject(error)));
  });
}
