import { MillraceError } from "../core/error.ts";
import type { Remote } from "../ports/remote.ts";
import type { RemotePatience } from "./remote-patience.ts";

/** Reads a file of a server: goes on at the byte reached when the connection is lost. */
export class RemoteReading {
  readonly #remote: Remote;
  readonly #path: string;
  readonly #patience: RemotePatience;
  /** The stream that is open, where it stands, and what it gave beyond what was asked for. */
  #open: OpenStream | undefined;
  #isBusy = false;

  constructor(remote: Remote, path: string, patience: RemotePatience) {
    this.#remote = remote;
    this.#path = path;
    this.#patience = patience;
  }

  /** Readings behind one another are one transfer; one beside it is a transfer of its own. */
  async *read(start: number, end: number): AsyncGenerator<Uint8Array, void> {
    if (start >= end) return;
    if (this.#isBusy) {
      const own = new RemoteReading(this.#remote, this.#path, this.#patience);
      try {
        yield* own.read(start, end);
      } finally {
        await own.close();
      }
      return;
    }
    this.#isBusy = true;
    try {
      yield* this.#through(start, end);
    } finally {
      this.#isBusy = false;
    }
  }

  async close(): Promise<void> {
    const open = this.#open;
    this.#open = undefined;
    await open?.pieces.return?.();
  }

  async *#through(start: number, end: number): AsyncGenerator<Uint8Array, void> {
    let attempt = 1;
    for (let at = start; at < end; ) {
      const { piece, error } = await this.#piece(at);
      if (error !== undefined) {
        await this.#patience.pauseOrThrow(error, attempt);
        attempt += 1;
        continue;
      }
      if (piece === undefined) return;
      attempt = 1;
      const taken = piece.subarray(0, end - at);
      if (taken.length < piece.length && this.#open !== undefined) {
        this.#open.left = piece.subarray(taken.length);
        this.#open.at -= piece.length - taken.length;
      }
      at += taken.length;
      yield taken;
    }
  }

  async #piece(at: number): Promise<{ readonly piece?: Uint8Array; readonly error?: unknown }> {
    try {
      const open = await this.#openAt(at);
      const { left } = open;
      open.left = undefined;
      const next = left === undefined ? await open.pieces.next() : { done: false, value: left };
      if (next.done === true) {
        this.#open = undefined;
        // What ends where the file does not was cut off, whatever the server calls it.
        const now = await this.#remote.look(this.#path);
        return now !== undefined && now.sizeBytes > at ? { error: cutOff(this.#path, at) } : {};
      }
      const piece = next.value;
      open.at += piece.length;
      return { piece };
    } catch (error) {
      this.#open = undefined;
      return { error };
    }
  }

  async #openAt(at: number): Promise<OpenStream> {
    if (this.#open?.at === at) return this.#open;
    await this.close();
    this.#open = { at, pieces: this.#remote.read(this.#path, at)[Symbol.asyncIterator](), left: undefined };
    return this.#open;
  }
}

function cutOff(path: string, byte: number): MillraceError {
  return new MillraceError("SINK_UNREACHABLE", `The transfer of ${path} ended at byte ${byte}, before the file does`, {
    remedy: "Check the network and the server, and run again: it goes on at what was committed.",
    at: { source: path, byte },
  });
}

interface OpenStream {
  at: number;
  readonly pieces: AsyncIterator<Uint8Array>;
  left: Uint8Array | undefined;
}
