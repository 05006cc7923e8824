import {
  createGunzip,
  createInflateRaw,
  createZstdDecompress,
  type Gunzip,
  type InflateRaw,
  type ZstdDecompress,
} from "node:zlib";
import { MillraceError } from "../core/error.ts";
import { limit } from "../core/limit.ts";

export type Compression = "gzip" | "zstd";

/** `deflate` is what ZIP files hold: a bare stream, without header and checksum. */
type Packing = Compression | "deflate";

/** Input given to a decoder at once: bounds what it may yield before anyone looks. */
const sliceBytes = 16 * 1024;
const pieceBytes = 128 * 1024;

/**
 * The content of a gzip or zstd stream: several members after one another are one content, zeros behind them padding.
 * What was decoded before a fault is yielded before it is thrown: FILE_TRUNCATED, FILE_FORMAT for damaged content or
 * anything else behind the last member, FILE_EXPANDS for a bomb.
 */
export async function* expand(
  input: AsyncIterable<Uint8Array>,
  compression: Packing,
  source: string,
  ratioMax: number = limit.expandRatio,
): AsyncGenerator<Uint8Array, void> {
  let member = new Member(compression);
  let fed = 0;
  let expanded = 0;
  try {
    for await (const bytes of input) {
      for (let at = 0; at < bytes.length; ) {
        if (member.ended) {
          if (isZero(bytes.subarray(at))) break;
          member = new Member(compression);
        }
        const taken = await member.write(bytes.subarray(at, at + sliceBytes));
        at += taken;
        fed += taken;
        for (const piece of member.pieces.splice(0)) {
          expanded += piece.length;
          if (expanded > limit.expandBytes && expanded > fed * ratioMax) throw bomb(source, ratioMax);
          yield piece;
        }
        member.throwFailure();
      }
    }
    if (!member.ended) await member.finish();
    yield* member.pieces.splice(0);
    member.throwFailure();
  } catch (error) {
    throw explain(error, compression, source);
  } finally {
    member.close();
  }
}

/** One member of a compressed stream. What it yields is kept, since a stream that fails drops what was not read. */
class Member {
  readonly pieces: Uint8Array[] = [];
  ended = false;
  readonly #decoder: Gunzip | InflateRaw | ZstdDecompress;
  #failure: { readonly error: unknown } | undefined;
  #settled: () => void = () => undefined;

  constructor(compression: Packing) {
    const options = { chunkSize: pieceBytes };
    this.#decoder = decoders[compression](options);
    this.#decoder.on("data", (piece: Uint8Array) => this.pieces.push(piece));
    this.#decoder.on("end", () => {
      this.ended = true;
      this.#settled();
    });
    this.#decoder.on("error", (error) => {
      this.#failure ??= { error };
      this.#settled();
    });
  }

  /** Resolves, once decoded, with the bytes taken: fewer than given when the member ended within them. */
  async write(bytes: Uint8Array): Promise<number> {
    const before = this.#decoder.bytesWritten;
    await new Promise<void>((resolve) => {
      this.#settled = resolve;
      this.#decoder.write(bytes, () => {
        // A member that ends within the bytes says so after this call.
        if (this.#decoder.bytesWritten - before === bytes.length) resolve();
      });
    });
    return this.#failure === undefined ? this.#decoder.bytesWritten - before : bytes.length;
  }

  async finish(): Promise<void> {
    await new Promise<void>((resolve) => {
      this.#settled = resolve;
      this.#decoder.end();
    });
  }

  throwFailure(): void {
    if (this.#failure !== undefined) throw this.#failure.error;
  }

  close(): void {
    this.#decoder.destroy();
  }
}

const decoders = { gzip: createGunzip, deflate: createInflateRaw, zstd: createZstdDecompress } as const;

const isZero = (bytes: Uint8Array): boolean => bytes.every((byte) => byte === 0);

function bomb(source: string, ratioMax: number): MillraceError {
  return new MillraceError("FILE_EXPANDS", `${source} expands to more than ${ratioMax} times its size`, {
    remedy: "If the file is what it should be, expand it first and load the result.",
    at: { source },
  });
}

const cutShort = new Set(["Z_BUF_ERROR", "ZSTD_error_srcSize_wrong"]);

function explain(error: unknown, compression: Packing, source: string): unknown {
  const code = (error as { readonly code?: unknown }).code;
  if (typeof code !== "string" || !/^(Z_|ZSTD_)/.test(code)) return error;
  if (cutShort.has(code)) {
    return new MillraceError(
      "FILE_TRUNCATED",
      `${source} ends in the middle of its ${compression} data, or is damaged`,
      {
        remedy: "Fetch or compress the file again, then run again. What was committed stays.",
        at: { source },
        cause: error,
      },
    );
  }
  return new MillraceError("FILE_FORMAT", `${source} holds damaged ${compression} data`, {
    remedy: "Fetch or compress the file again, then run again. What was committed stays.",
    at: { source },
    cause: error,
  });
}
