import type { FastifyInstance } from "fastify";
import type { Insights } from "../../runtime/insights.ts";
import { errorAnswers } from "../openapi.ts";
import { answers, list, nullable, record, text } from "./shape.ts";

const standard = { type: ["string", "number", "boolean", "null"] };

const insightSchema = record({
  ...{ name: text, about: text, path: text },
  parameters: list(record({ name: text, type: text, about: text, default: standard, required: { type: "boolean" } })),
  columns: list(record({ name: text, type: text, about: nullable("string") })),
});

/** `GET /api/insights`: which there are, what they take and answer with. */
export function addInsightList(app: FastifyInstance, insights: readonly Insights[]): void {
  const schema = {
    tags: ["api"],
    summary: "The insights: parameters and columns of each",
    response: { 200: answers("Insights", { insights: list(insightSchema) }), ...errorAnswers(429) },
  };
  app.get("/api/insights", { schema }, async () => ({
    insights: insights
      .flatMap(({ all }) => all)
      .map(({ name, about, parameters, columns }) => ({
        ...{ name, about, path: `/insights/${encodeURIComponent(name)}` },
        parameters: parameters.map((one) => ({
          ...{ name: one.name, type: one.type, about: one.about, required: one.required },
          default: one.default ?? null,
        })),
        columns: columns.map((one) => ({ name: one.name, type: one.type, about: one.about ?? null })),
      })),
  }));
}
