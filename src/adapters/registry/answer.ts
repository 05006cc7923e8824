import type { JsonObject } from "../../core/json.ts";

/** What a registry says. */
export interface Answer {
  readonly status: number;
  /** Undefined when it is no JSON object. */
  readonly body: JsonObject | undefined;
}
