/** Pieces of a long answer that have come and are not taken yet, in order, and how the answer ended. */
export class Arrivals<Piece> {
  readonly #pieces: Piece[] = [];
  readonly #end = Promise.withResolvers<void>();
  #outcome: { readonly error?: Error } | undefined;
  #wake: (() => void) | undefined;

  add(piece: Piece): void {
    this.#pieces.push(piece);
    this.#wake?.();
  }

  /** No more will come; with an error, because something failed. Only the first call counts. */
  end(error?: Error): void {
    this.#outcome ??= error === undefined ? {} : { error };
    this.#end.resolve();
    this.#wake?.();
  }

  get isEnded(): boolean {
    return this.#outcome !== undefined;
  }

  /** Resolves once the answer has ended, however it did. */
  get ended(): Promise<void> {
    return this.#end.promise;
  }

  /** The next piece; undefined at the end. Rejects with what ended the answer early, behind the pieces that came. */
  async next(): Promise<Piece | undefined> {
    for (;;) {
      const piece = this.#pieces.shift();
      if (piece !== undefined) return piece;
      if (this.#outcome?.error !== undefined) throw this.#outcome.error;
      if (this.#outcome !== undefined) return undefined;
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
  }
}
