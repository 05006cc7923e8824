/** Something that one of several holds for a while. With the same key it was held all the time. */
export interface Held<Thing> {
  readonly key: string;
  readonly thing: Thing;
}

/**
 * What is held, as it is told to somebody who may be slow: the latest only, and before it what is left when something
 * was lost since it was told last, also when that came back meanwhile, as somebody else had it in between.
 */
export class Holdings<Thing> {
  #given: readonly Held<Thing>[] | undefined;
  #pending: (readonly Held<Thing>[])[] = [];

  hold(held: readonly Held<Thing>[]): void {
    const told = this.#pending[0] ?? this.#given;
    const keys = new Set(held.map(({ key }) => key));
    const kept = told?.filter(({ key }) => keys.has(key));
    this.#pending = kept === undefined || kept.length === held.length ? [held] : [kept, held];
  }

  /** What is to be told next; undefined when nothing has changed since. */
  next(): readonly Thing[] | undefined {
    for (;;) {
      const held = this.#pending.shift();
      if (held === undefined) return undefined;
      if (this.#given !== undefined && keysOf(held) === keysOf(this.#given)) continue;
      this.#given = held;
      return held.map(({ thing }) => thing);
    }
  }
}

/**
 * Iterates over what a loop in the background holds, as `Holdings` tells it. Ends when the signal aborts, throws what the
 * loop throws, and does not end before the loop has.
 */
export async function* heldBy<Thing>(
  run: (hold: (held: readonly Held<Thing>[]) => void, signal: AbortSignal) => Promise<void>,
  signal: AbortSignal,
): AsyncGenerator<readonly Thing[], void> {
  const stop = new AbortController();
  const holdings = new Holdings<Thing>();
  let wake = (): void => {};
  const hold = (held: readonly Held<Thing>[]): void => {
    holdings.hold(held);
    wake();
  };
  let running = true;
  const loop = run(hold, AbortSignal.any([signal, stop.signal])).finally(() => {
    running = false;
    wake();
  });
  loop.catch(() => undefined); // awaited at the end: it must not count as unhandled before
  try {
    while (running) {
      const woken = new Promise<void>((resolve) => {
        wake = resolve;
      });
      const things = signal.aborted ? undefined : holdings.next();
      if (things !== undefined) yield things;
      else await woken;
    }
  } finally {
    stop.abort();
    await loop;
  }
}

function keysOf(held: readonly Held<unknown>[]): string {
  return held.map(({ key }) => key).join(" ");
}
