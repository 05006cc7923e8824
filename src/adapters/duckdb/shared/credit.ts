/** How many pieces of a long answer may still be sent before the one who reads it has taken some. */
export class Credit {
  #left: number;
  #isStopped = false;
  #wake: (() => void) | undefined;

  constructor(pieces: number) {
    this.#left = pieces;
  }

  /** One more piece was taken. */
  add(): void {
    this.#left += 1;
    this.#wake?.();
  }

  /** Nobody reads on. */
  stop(): void {
    this.#isStopped = true;
    this.#wake?.();
  }

  get isStopped(): boolean {
    return this.#isStopped;
  }

  /** Resolves when a piece may be sent: with false when none is wanted any more. */
  async take(): Promise<boolean> {
    while (this.#left === 0 && !this.#isStopped) {
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
    if (this.#isStopped) return false;
    this.#left -= 1;
    return true;
  }
}
