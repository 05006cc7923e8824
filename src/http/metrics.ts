import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from "@prometheus-io/client";
import type { FastifyInstance } from "fastify";
import type { PipelineState, ServiceEvent } from "../runtime/service.ts";
import type { Member } from "../runtime/workers/member.ts";

/** What a service counts, in the format of Prometheus. Names and labels are documented in docs/server.md. */
export class Metrics {
  readonly #registry = new Registry();
  readonly #records: Counter<"pipeline" | "fate">;
  readonly #failures: Counter<"what">;
  readonly #waiting: Counter<"pipeline">;
  readonly #waitingMessages: Gauge<"pipeline">;
  readonly #waitingAge: Gauge<"pipeline">;
  readonly #requests: Histogram<"method" | "route" | "status">;

  constructor() {
    const registers = [this.#registry];
    collectDefaultMetrics({ register: this.#registry });
    this.#records = new Counter({
      name: "millrace_records_total",
      help: "Records committed, by what became of them",
      labelNames: ["pipeline", "fate"],
      registers,
    });
    this.#failures = new Counter({
      name: "millrace_failures_total",
      help: "Work of the service that failed",
      labelNames: ["what"],
      registers,
    });
    this.#waiting = new Counter({
      name: "millrace_waits_total",
      help: "Pauses because a place was away or busy",
      labelNames: ["pipeline"],
      registers,
    });
    this.#waitingMessages = new Gauge({
      name: "millrace_queue_messages",
      help: "Messages that wait in the queue that a pipeline reads",
      labelNames: ["pipeline"],
      registers,
    });
    this.#waitingAge = new Gauge({
      name: "millrace_queue_age_seconds",
      help: "Age of the message that was taken last, 0 when none waits",
      labelNames: ["pipeline"],
      registers,
    });
    this.#requests = new Histogram({
      name: "millrace_http_request_duration_seconds",
      help: "Time from a request's first byte to its answer's last",
      labelNames: ["method", "route", "status"],
      buckets: [0.001, 0.005, 0.025, 0.1, 0.25, 1, 2.5, 10, 60],
      registers,
    });
  }

  /** Tells, whenever it is asked for, how these pipelines fare. */
  watch(pipelines: () => readonly PipelineState[]): void {
    new Gauge({
      name: "millrace_pipeline_running",
      help: "1 while a pipeline runs, 0 while it waits after a failure",
      labelNames: ["pipeline"],
      registers: [this.#registry],
      collect() {
        for (const { name, state } of pipelines()) this.set({ pipeline: name }, state === "running" ? 1 : 0);
      },
    });
  }

  observe(event: ServiceEvent): void {
    if (event.kind === "failed") this.#failures.inc({ what: event.what });
    if (event.kind !== "pipeline") return;
    const { pipeline } = event;
    if (event.event.event === "waiting") this.#waiting.inc({ pipeline });
    if (event.event.event === "backlog") {
      this.#waitingMessages.set({ pipeline }, event.event.waiting);
      this.#waitingAge.set({ pipeline }, event.event.ageMs / 1_000);
    }
    if (event.event.event !== "batch") return;
    const { loaded, merged, filtered, rejected } = event.event.counts;
    for (const [fate, count] of Object.entries({ loaded, merged, filtered, rejected })) {
      this.#records.inc({ pipeline, fate }, count);
    }
  }

  /** Times every request by its route, and serves `/metrics`: of all workers together where there are several. */
  addTo(app: FastifyInstance, member?: Pick<Member, "figuresOfAll" | "onFigures">): void {
    member?.onFigures(() => this.#registry.getMetricsAsJSON());
    app.addHook("onResponse", (request, reply, done) => {
      // The route's pattern: addresses that callers make up must not become labels.
      const route = request.routeOptions.url ?? "none";
      this.#requests.observe(
        { method: request.method, route, status: String(reply.statusCode) },
        reply.elapsedTime / 1_000,
      );
      done();
    });
    app.shortAnswers?.watch((route) => {
      const labels = { method: "GET", route, status: "200" };
      return (seconds) => this.#requests.observe(labels, seconds);
    });
    const schema = { tags: ["operations"], summary: "Metrics in the format of Prometheus", response: {} };
    app.get("/metrics", { schema }, async (_, reply) => {
      const registry = member === undefined ? this.#registry : await ofAll(member);
      const text = await registry.metrics();
      return reply.header("content-type", this.#registry.contentType).send(text);
    });
  }
}

async function ofAll(member: Pick<Member, "figuresOfAll">): Promise<Registry> {
  return Registry.aggregate([...(await member.figuresOfAll())] as object[]);
}
