import { styleText } from "node:util";

type Style = "bold" | "dim" | "red" | "green" | "yellow" | "cyan";

/** Where a command writes: standard output for what was asked for, standard error for what is said meanwhile. */
export class Screen {
  readonly #stream: NodeJS.WriteStream;
  #closed = false;
  #onClosed: () => void = () => undefined;

  constructor(stream: NodeJS.WriteStream) {
    this.#stream = stream;
    stream.on("error", (error: NodeJS.ErrnoException) => {
      // The reader has left, as `head` does: nobody is left to tell, and that is no failure.
      if (error.code !== "EPIPE") throw error;
      if (this.#closed) return;
      this.#closed = true;
      this.#onClosed();
    });
  }

  /** The reader has left: what is only read for it may end. */
  get isClosed(): boolean {
    return this.#closed;
  }

  get isTerminal(): boolean {
    return this.#stream.isTTY;
  }

  /** Columns of the terminal; undefined where the text goes to a file or a program, which takes lines of any length. */
  get columns(): number | undefined {
    return this.#stream.isTTY ? this.#stream.columns || 80 : undefined;
  }

  /** What to do when the reader leaves. Unless told otherwise the work goes on, unheard: it must not end half-way. */
  onClosed(action: () => void): void {
    this.#onClosed = action;
  }

  write(text: string): void {
    if (!this.#closed) this.#stream.write(text);
  }

  /** Writes and waits for a slow reader, so that memory stays flat. */
  async send(text: string): Promise<void> {
    if (this.#closed || this.#stream.write(text)) return;
    await new Promise<void>((resolve) => {
      const done = (): void => {
        this.#stream.off("drain", done).off("close", done).off("error", done);
        resolve();
      };
      this.#stream.on("drain", done).on("close", done).on("error", done);
    });
  }

  line(text = ""): void {
    this.write(`${text}\n`);
  }

  /** The text in a style, where the stream is a terminal that shows colours and NO_COLOR is not set. */
  style(style: Style, text: string): string {
    return styleText(style, text, { stream: this.#stream });
  }
}

export const stdout = new Screen(process.stdout);
export const stderr = new Screen(process.stderr);
