/** One append: how much of it is not confirmed yet. */
export class AppendCall {
  readonly records: number;
  /** When it is given up unless more of it is confirmed, in ms since 1970. */
  deadline: number;
  readonly done: Promise<void>;
  #error: unknown;
  #failed = false;
  #unconfirmed: number;
  readonly #resolve: () => void;
  readonly #reject: (error: unknown) => void;

  constructor(records: number, deadline: number) {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    this.records = records;
    this.deadline = deadline;
    this.done = promise;
    this.#unconfirmed = records;
    this.#resolve = resolve;
    this.#reject = reject;
  }

  get failed(): boolean {
    return this.#failed;
  }

  /** What its last record was refused with that is sent again. */
  get lastError(): unknown {
    return this.#error;
  }

  /** One more of its records; `deadline` for the others. */
  confirm(deadline: number): void {
    this.deadline = deadline;
    this.#unconfirmed -= 1;
    if (this.#unconfirmed === 0) this.#resolve();
  }

  delay(error: unknown): void {
    this.#error = error;
  }

  /** Only the first failure is told. */
  fail(error: unknown): void {
    this.#failed = true;
    this.#reject(error);
  }
}
