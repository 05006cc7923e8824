import type { FastifyInstance } from "fastify";
import type { Service } from "../runtime/service.ts";

const status = (description: string): object => ({
  description,
  content: {
    "application/json": {
      schema: {
        type: "object",
        properties: { status: { type: "string" } },
        required: ["status"],
        additionalProperties: true,
      },
    },
  },
});

/** `/healthz`: the process works. `/readyz`: it can do its work, the places it writes to answer. */
export function addHealth(app: FastifyInstance, service: Pick<Service, "readiness">): void {
  const live = { tags: ["operations"], summary: "Whether the process works", response: { 200: status("It does") } };
  app.get("/healthz", { schema: live }, async () => ({ status: "ok" }));
  const ready = {
    tags: ["operations"],
    summary: "Whether it can do its work",
    response: { 200: status("It can"), 503: status("It cannot now: stopping, or a place is away") },
  };
  app.get("/readyz", { schema: ready }, async (_, reply) => {
    const { isReady, ...state } = await service.readiness();
    return reply.code(isReady ? 200 : 503).send({ status: isReady ? "ready" : "not ready", ...state });
  });
}
