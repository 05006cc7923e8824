import { isJsonObject, type Json, type JsonObject } from "../core/json.ts";
import type { ServiceEvent } from "../runtime/service.ts";
import { eventJson } from "./event-json.ts";
import { durationText } from "./figures.ts";
import { RunLog } from "./run-log.ts";
import type { Screen } from "./screen.ts";
import { safeText } from "./shown.ts";

/** What a service says while it runs: requests that change something or fail, pipelines, and what fails. */
export class ServiceLog {
  readonly #screen: Screen;
  readonly #json: boolean;
  readonly #pipelines = new Map<string, RunLog>();

  constructor(screen: Screen, json: boolean) {
    this.#screen = screen;
    this.#json = json;
  }

  /** A line of the server's log, a JSON object. */
  write(line: string): void {
    if (this.#json) this.#screen.write(line);
    else this.#tellEntry(JSON.parse(line) as Json);
  }

  observe(event: ServiceEvent): void {
    switch (event.kind) {
      case "pipeline":
        this.#observePipeline(event);
        return;
      case "notice":
        this.#tell("info", event.text, { event: "notice", text: event.text });
        return;
      case "failed": {
        const { what, error, pauseMs } = event;
        const { code, message, remedy, at } = error;
        const again = pauseMs === undefined ? "" : `; again in ${durationText(pauseMs)}`;
        const text = `${what}  failed: ${code}: ${message} (${remedy})${again}`;
        this.#tell("error", text, { event: "error", what, code, message, remedy, at, pauseMs });
        return;
      }
    }
  }

  say(text: string): void {
    this.#tell("info", text, { event: "notice", text });
  }

  #observePipeline({ pipeline, event }: Extract<ServiceEvent, { kind: "pipeline" }>): void {
    if (this.#json) {
      this.#screen.line(eventJson(event, { pipeline }));
      return;
    }
    // Uploads are told as requests.
    if (pipeline.includes(":upload:") && event.event !== "waiting" && event.event !== "prepared") return;
    const log = this.#pipelines.get(pipeline) ?? new RunLog(this.#screen, pipeline, () => performance.now());
    this.#pipelines.set(pipeline, log);
    log.observe(event);
  }

  #tell(level: string, text: string, fields: Readonly<Record<string, unknown>>): void {
    const now = new Date().toISOString();
    if (this.#json) this.#screen.line(JSON.stringify({ level, time: now, ...fields }));
    else this.#screen.line(`${this.#screen.style("dim", now.slice(11, 19))} ${safeText(text)}`);
  }

  #tellEntry(entry: Json): void {
    if (!isJsonObject(entry)) return;
    const at = this.#screen.style("dim", textOf(entry["time"]).slice(11, 19));
    if (entry["method"] === undefined) this.#screen.line(`${at} ${safeText(troubleText(entry))}`);
    else this.#screen.line(`${at} ${this.#requestText(entry)}`);
  }

  #requestText({ method, path, status, ms }: JsonObject): string {
    const code = Number(status);
    const style = code >= 500 ? "red" : code >= 400 ? "yellow" : "green";
    return `${textOf(method)} ${safeText(textOf(path))} ${this.#screen.style(style, textOf(status))} ${textOf(ms)} ms`;
  }
}

function troubleText({ msg, request, err = null }: JsonObject): string {
  const { code, message, remedy } = isJsonObject(err) ? err : {};
  const cause = message === undefined ? "" : `: ${textOf(code)}: ${textOf(message)} (${textOf(remedy)})`;
  return `${textOf(msg)}${request === undefined ? "" : ` ${textOf(request)}`}${cause}`;
}

function textOf(value: Json | undefined): string {
  return typeof value === "string" ? value : JSON.stringify(value ?? "");
}
