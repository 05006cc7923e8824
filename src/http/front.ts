import type { FastifyInstance } from "fastify";
import type { Application } from "./application.ts";

/** `GET /`: what this is, as JSON for programs; a browser is sent to the console. */
export function addFront(app: FastifyInstance, applications: readonly Application[]): void {
  const message = "Millrace is running. Routes are described at /docs and /openapi.json.";
  const about = Object.fromEntries(applications.map((one) => [one.name, one.about]));
  const schema = {
    tags: ["operations"],
    summary: "What this is",
    response: {
      200: {
        description: "For programs; a browser gets the console",
        content: {
          "application/json": {
            schema: { type: "object", properties: { message: { type: "string" } }, required: ["message"] },
          },
        },
      },
    },
  };
  app.get("/", { schema }, async (request, reply) => {
    reply.header("vary", "accept");
    if (wantsPage(request.headers.accept)) return reply.redirect("/console/");
    return { message, applications: about, docs: "/docs" };
  });
}

/** Browsers name HTML first; programs that take anything do not. */
function wantsPage(accept: string | undefined): boolean {
  return accept !== undefined && /\btext\/html\b/i.test(accept);
}
