import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";

/** What a server answers. */
export interface Reply {
  readonly status: number;
  readonly body: unknown;
}

/** Undefined: as the server behind. */
export type Answer = (path: string) => Reply | undefined | Promise<Reply | undefined>;

/** A real HTTP server that answers as it is told, or as the one behind it. */
export class Front implements AsyncDisposable {
  readonly asked: string[] = [];
  readonly logins: (string | undefined)[] = [];
  readonly #server: Server;
  readonly #answer: Answer;
  readonly #behind: string;

  private constructor(answer: Answer, behind: string) {
    this.#answer = answer;
    this.#behind = behind;
    this.#server = createServer((request, response) => {
      this.#serve(request, response).catch((error: unknown) => response.destroy(error as Error));
    });
  }

  static async open(answer: Answer, behind = ""): Promise<Front> {
    const front = new Front(answer, behind);
    await new Promise<void>((resolve) => front.#server.listen(0, "127.0.0.1", resolve));
    return front;
  }

  /** `login` is `user:password@`. */
  url(login = ""): string {
    return `http://${login}127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const path = request.url ?? "/";
    this.asked.push(`${request.method} ${path}`);
    this.logins.push(request.headers.authorization);
    const pieces: Uint8Array[] = [];
    for await (const piece of request as AsyncIterable<Uint8Array>) pieces.push(piece);
    const { status, body } = (await this.#answer(path)) ?? (await this.#pass(request, path, Buffer.concat(pieces)));
    response.writeHead(status, { "content-type": "application/vnd.schemaregistry.v1+json" });
    response.end(typeof body === "string" ? body : JSON.stringify(body));
  }

  async #pass({ method = "GET" }: IncomingMessage, path: string, body: Buffer): Promise<Reply> {
    const sent =
      method === "GET" ? {} : { body: new Uint8Array(body), headers: { "content-type": "application/json" } };
    const answer = await fetch(`${this.#behind}${path}`, { method, ...sent });
    return { status: answer.status, body: await answer.text() };
  }
}

export const schemaReply: Reply = { status: 200, body: { schema: '"string"' } };
export const unknownReply: Reply = { status: 404, body: { error_code: 40_403, message: "Schema not found" } };
