import type { Socket } from "node:net";
import type { Connection, PoolClient, Submittable } from "pg";
import { ask, type Statement } from "./client.ts";
import { withPurpose } from "./errors.ts";

/** A statement of a sequence: prepared under its name, and answered by no rows. */
export interface Step extends Statement {
  readonly name: string;
  /** For people, where it fails. */
  readonly purpose: string;
}

/** What the client has of its connection that is needed to send messages of one's own. */
export interface Wire {
  readonly parsedStatements: Readonly<Record<string, string>>;
  readonly stream: Pick<Socket, "cork" | "uncork" | "write" | "once">;
  query(sql: string): void;
  bind(config: { statement: string; values: readonly Bound[] }): void;
  execute(config: object): void;
  sync(): void;
}

type Bound = string | Buffer | null;

/**
 * Runs statements one after another in one round trip, and gives the number of rows of each. One that fails ends it:
 * those behind it are not begun. For statements of a transaction that is open or that the first one begins; what must
 * not be done unless an earlier one has found something does not belong into one sequence with it.
 *
 * The first time on a connection they are sent one by one, which prepares them.
 */
export async function askInTurn(client: PoolClient, steps: readonly Step[]): Promise<readonly number[]> {
  const { parsedStatements } = (client as unknown as { readonly connection: Wire }).connection;
  if (steps.length > 1 && steps.every(({ name }) => Object.hasOwn(parsedStatements, name))) {
    return new Promise((resolve, reject) => {
      client.query(
        new Sequence(steps, (error, counts) => {
          if (error === undefined) resolve(counts);
          else reject(withPurpose(error, steps[counts.length]?.purpose ?? ""));
        }),
      );
    });
  }
  const counts: number[] = [];
  for (const { purpose, ...statement } of steps) counts.push((await ask(client, purpose, statement)).count);
  return counts;
}

/** What the client drives: it is told of each message that answers. */
class Sequence implements Submittable {
  readonly #steps: readonly Step[];
  readonly #counts: number[] = [];
  readonly #done: (error: Error | undefined, counts: readonly number[]) => void;

  constructor(steps: readonly Step[], done: (error: Error | undefined, counts: readonly number[]) => void) {
    this.#steps = steps;
    this.#done = done;
  }

  /** The client replaces it where it limits the time of queries. */
  callback(): void {}

  submit(connection: Connection): void {
    const wire = connection as unknown as Wire;
    wire.stream.cork();
    try {
      for (const { name, values = [] } of this.#steps) {
        wire.bind({ statement: name, values: values.map(boundOf) });
        wire.execute({});
      }
      wire.sync();
    } finally {
      wire.stream.uncork();
    }
  }

  handleCommandComplete({ text }: { readonly text: string }): void {
    this.#counts.push(Number(/\d+$/.exec(text)?.[0] ?? 0));
  }

  handleError(error: Error): void {
    this.#done(error, this.#counts);
  }

  handleReadyForQuery(): void {
    this.#done(undefined, this.#counts);
  }
}

function boundOf(value: unknown): Bound {
  if (value === null || value === undefined) return null;
  if (Buffer.isBuffer(value)) return value;
  if (typeof value === "string") return value;
  if (typeof value === "number" || typeof value === "bigint") return value.toString();
  throw new TypeError(`a ${typeof value} cannot be bound here`);
}
