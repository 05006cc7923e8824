import type { CycleWatch } from "../http/server.ts";
import { bar } from "./progress.ts";
import type { Screen } from "./screen.ts";
import { safeText } from "./shown.ts";

/** How far a turn is: a line for each part that is done, and on a terminal one bar below them; or JSON for machines. */
export class TurnProgress implements CycleWatch {
  readonly #screen: Screen;
  readonly #isJson: boolean;
  #what = "";
  #rows = 0;
  #done = 0;
  #drawn = false;

  constructor(screen: Screen, isJson: boolean) {
    this.#screen = screen;
    this.#isJson = isJson;
  }

  begun(what: string, rows: number): void {
    this.#what = what;
    this.#rows = rows;
    this.#done = 0;
    this.#draw();
  }

  done(rows: number): void {
    this.#done += rows;
    this.#draw();
  }

  say(line: string): void {
    this.end();
    this.#line("pushed", line);
    this.#draw();
  }

  summary(lines: readonly string[]): void {
    this.end();
    for (const line of lines) this.#line("done", line);
  }

  /** Takes the bar away. */
  end(): void {
    if (this.#drawn) this.#screen.write("\r\u001b[2K");
    this.#drawn = false;
  }

  #line(event: string, text: string): void {
    this.#screen.line(this.#isJson ? JSON.stringify({ event, text }) : safeText(text));
  }

  #draw(): void {
    if (!this.#screen.isTerminal || this.#isJson || this.#rows === 0) return;
    const part = Math.min(1, this.#done / this.#rows);
    this.#screen.write(`\r\u001b[2K${bar(part)} ${Math.floor(part * 100)} %  ${safeText(this.#what)}`);
    this.#drawn = true;
  }
}
