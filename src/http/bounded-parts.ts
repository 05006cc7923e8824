import type { Multipart } from "@fastify/multipart";
import type { FastifyRequest } from "fastify";
import { tooLarge } from "./errors.ts";

type PartLimits = NonNullable<NonNullable<Parameters<FastifyRequest["parts"]>[0]>["limits"]>;

/**
 * The parts of a multipart form whose body is `bodyBytes` long at most, whatever it is made of. Throws 413 at the byte
 * that is too many: the parser alone would read on to the end of a field or of a header that never comes.
 */
export async function* boundedParts(
  request: FastifyRequest,
  limits: PartLimits,
  bodyBytes: number,
): AsyncGenerator<Multipart> {
  const parts = request.parts({ limits });
  const over = Promise.withResolvers<never>();
  over.promise.catch(() => undefined);
  let current: Multipart | undefined;
  let bytes = 0;
  const count = (chunk: Buffer): void => {
    bytes += chunk.length;
    if (bytes <= bodyBytes) return;
    request.raw.off("data", count);
    over.reject(tooLarge());
    if (current?.type === "file") current.file.destroy(tooLarge());
  };
  // In one turn with the parser's pipe, or the first bytes would be lost to it.
  request.raw.on("data", count);
  try {
    for (;;) {
      const next = parts.next();
      next.catch(() => undefined);
      const read: IteratorResult<Multipart, undefined> = await Promise.race([next, over.promise]);
      if (read.done) return;
      current = read.value;
      yield read.value;
    }
  } finally {
    request.raw.off("data", count);
  }
}
