import type { FastifyReply, FastifyRequest } from "fastify";

/** How long a caller is given to read an answer that comes before all of the body was sent. */
const drainMs = 1_000;

/**
 * Answers before the body has been read. A connection that is closed with bytes unread is reset, and the caller may then
 * never see the answer; so what still arrives is read and dropped until the caller stops, for a moment at most.
 */
export function sendAndDrain(request: FastifyRequest, reply: FastifyReply, status: number, body: object): FastifyReply {
  const text = Buffer.from(JSON.stringify(body));
  const { raw: to } = reply;
  const { raw: from } = request;
  for (const [name, value] of Object.entries(reply.getHeaders())) if (value !== undefined) to.setHeader(name, value);
  reply.hijack();
  to.writeHead(status, { connection: "close", "content-type": "application/json", "content-length": text.length });
  to.write(text);
  from.unpipe();
  from.resume();
  const end = (): void => {
    clearTimeout(timer);
    if (!to.writableEnded) to.end();
  };
  const timer = setTimeout(end, drainMs);
  from.once("end", end).once("close", end).once("error", end);
  if (from.complete) end();
  return reply;
}
