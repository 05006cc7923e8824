/** Of lines that go into the engine at once; a longer line goes alone. */
const pieceChars = 4 * 1024 * 1024;
const pieceRows = 61_440;

/** The same lines in pieces of a size that is bounded, and worth the engine's while. */
export async function* linePieces(source: AsyncIterable<readonly string[]>): AsyncGenerator<string[]> {
  let held: string[] = [];
  let chars = 0;
  for await (const lines of source) {
    for (const line of lines) {
      if (held.length > 0 && (chars + line.length > pieceChars || held.length >= pieceRows)) {
        yield held;
        held = [];
        chars = 0;
      }
      held.push(line);
      chars += line.length;
    }
  }
  if (held.length > 0) yield held;
}

/** The same items, the next of which is being made while one is worked on. */
export async function* oneAhead<Item>(items: AsyncGenerator<Item>): AsyncGenerator<Item> {
  let next = items.next();
  try {
    for (;;) {
      const step = await next;
      if (step.done === true) return;
      next = items.next();
      next.catch(() => undefined); // awaited in the next round: it must not count as unhandled meanwhile
      yield step.value;
    }
  } finally {
    // Ends what the items are made of. A failure of it has been thrown above, or comes behind another one.
    await items.return(undefined).catch(() => undefined);
  }
}
