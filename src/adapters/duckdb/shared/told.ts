import type { AdapterContext } from "../../../ports/adapter.ts";
import type { EngineHost } from "../../../ports/engine.ts";

// A command opens a place by several sinks, each of which finds the same.
const told = new WeakMap<EngineHost, Set<string>>();

/** Says it to people unless this process has said it already. */
export function tellOnce(context: AdapterContext, text: string): void {
  const texts = told.get(context.engine) ?? new Set();
  told.set(context.engine, texts);
  if (texts.has(text)) return;
  texts.add(text);
  context.notice(text);
}
