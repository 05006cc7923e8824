import { randomUUID } from "node:crypto";
import { closeSync, openSync, readSync, rmSync, unlinkSync, writeSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { MillraceError } from "../../core/error.ts";
import { limit } from "../../core/limit.ts";
import { readPart } from "./parts.ts";
import { richText } from "./rich-text.ts";
import type { Workbook } from "./workbook.ts";
import { damaged } from "./zip.ts";

const pageTexts = 128;
/** What a text takes in memory besides its characters, about. */
const textOverheadBytes = 40;

interface Page {
  texts: readonly string[] | undefined;
  memoryBytes: number;
  /** Where it lies in the file; undefined while it is only in memory. */
  at: number | undefined;
  bytes: number;
}

/**
 * The texts that cells share, by number. Pages of them that were used last stay in memory up to a bound, the others lie
 * in a temporary file: programs number texts in the order of the cells, so a page serves many cells in a row.
 */
export class SharedTexts {
  readonly #pages: Page[] = [];
  /** Pages in memory, the one used last at the end. */
  readonly #held = new Set<Page>();
  readonly #source: string;
  #heldBytes = 0;
  #open: string[] = [];
  #openBytes = 0;
  #bytes = 0;
  #file: { readonly fd: number; readonly path: string } | undefined;
  #fileBytes = 0;

  private constructor(source: string) {
    this.#source = source;
  }

  /** Reads the workbook's texts: all, or at least those up to the number `last`. */
  static async read({ zip, texts, source }: Workbook, last = Number.POSITIVE_INFINITY): Promise<SharedTexts> {
    const shared = new SharedTexts(source);
    if (texts === undefined || last < 0) return shared;
    let count = 0;
    const listener = richText("si", (text) => {
      shared.#add(text);
      count += 1;
    });
    try {
      for await (const _ of readPart(zip, texts, listener, source)) if (count > last) break;
      shared.#endPage();
      return shared;
    } catch (error) {
      shared.close();
      throw error;
    }
  }

  /** Throws FILE_FORMAT for a number that no text has. */
  get(index: number): string {
    const page = this.#pages[Math.floor(index / pageTexts)];
    const text = page === undefined ? undefined : this.#textsOf(page)[index % pageTexts];
    if (text === undefined) throw damaged(this.#source, `a cell names the text ${index}, which is not there`);
    return text;
  }

  close(): void {
    if (this.#file === undefined) return;
    closeSync(this.#file.fd);
    if (process.platform !== "linux") rmSync(this.#file.path, { force: true });
    this.#file = undefined;
  }

  #add(text: string): void {
    this.#bytes += text.length;
    if (this.#bytes > limit.sharedTextBytes) {
      throw new MillraceError(
        "FILE_EXPANDS",
        `The texts of ${this.#source} are more than ${limit.sharedTextBytes} characters`,
        {
          remedy: "Save the sheet as CSV, and load that.",
          at: { source: this.#source },
        },
      );
    }
    this.#open.push(text);
    this.#openBytes += text.length * 2 + textOverheadBytes;
    if (this.#open.length === pageTexts) this.#endPage();
  }

  #endPage(): void {
    if (this.#open.length === 0) return;
    const page: Page = { texts: this.#open, memoryBytes: this.#openBytes, at: undefined, bytes: 0 };
    this.#pages.push(page);
    this.#open = [];
    this.#openBytes = 0;
    this.#hold(page);
  }

  #textsOf(page: Page): readonly string[] {
    if (page.texts !== undefined) {
      this.#held.delete(page);
      this.#held.add(page);
      return page.texts;
    }
    const bytes = Buffer.allocUnsafe(page.bytes);
    if (this.#file !== undefined) readSync(this.#file.fd, bytes, 0, page.bytes, page.at ?? 0);
    page.texts = JSON.parse(bytes.toString("utf8")) as string[];
    this.#hold(page);
    return page.texts;
  }

  #hold(page: Page): void {
    this.#held.add(page);
    this.#heldBytes += page.memoryBytes;
    for (const oldest of this.#held) {
      if (this.#heldBytes <= limit.sharedTextMemoryBytes || oldest === page) return;
      this.#spill(oldest);
      oldest.texts = undefined;
      this.#held.delete(oldest);
      this.#heldBytes -= oldest.memoryBytes;
    }
  }

  #spill(page: Page): void {
    if (page.at !== undefined) return;
    const bytes = Buffer.from(JSON.stringify(page.texts));
    try {
      this.#file ??= openFile();
      for (let done = 0; done < bytes.length; ) {
        done += writeSync(this.#file.fd, bytes, done, bytes.length - done, this.#fileBytes + done);
      }
    } catch (cause) {
      throw new MillraceError("DISK", `The texts of ${this.#source} could not be written to ${tmpdir()}`, {
        remedy: "Make room there, or point TMPDIR at a folder with room.",
        cause,
      });
    }
    page.at = this.#fileBytes;
    page.bytes = bytes.length;
    this.#fileBytes += bytes.length;
  }
}

/** On Linux without a name once opened, so that nothing is left behind even after kill -9. */
function openFile(): { readonly fd: number; readonly path: string } {
  const path = join(tmpdir(), `millrace-${randomUUID()}`);
  const fd = openSync(path, "wx+", 0o600);
  if (process.platform === "linux") unlinkSync(path);
  return { fd, path };
}
