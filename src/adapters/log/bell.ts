import { closeSync, constants, type FSWatcher, openSync, watch, writeSync } from "node:fs";
import { join } from "node:path";

const fileName = "bell";

/**
 * A file that is written to after each commit, for the others to notice. That they do is not relied on: a watched file
 * tells nothing on some file systems, and whoever is killed in between has not written.
 */
export class BellRope {
  readonly #handle: number;

  constructor(folder: string) {
    // Closing it harms nobody: it is no file of SQLite.
    this.#handle = openSync(join(folder, fileName), constants.O_WRONLY | constants.O_CREAT, 0o600);
  }

  /** Writes the same byte over again: the file does not grow. */
  pull(): void {
    writeSync(this.#handle, ".", 0);
  }

  close(): void {
    closeSync(this.#handle);
  }
}

/** Hears the bell of a folder, where the system tells of changed files. */
export class Bell {
  readonly #watcher: FSWatcher | undefined;
  /** Whether it was heard of late: as long as it is not known to work it is better not waited for. */
  isHeard = false;

  constructor(folder: string, ring: () => void) {
    const rope = new BellRope(folder);
    this.#watcher = watched(join(folder, fileName), () => {
      this.isHeard = true;
      ring();
    });
    // Heard here too, if at all.
    rope.pull();
    rope.close();
  }

  close(): void {
    this.#watcher?.close();
  }
}

/** Undefined where too many files are watched already, or none can be. */
function watched(path: string, changed: () => void): FSWatcher | undefined {
  try {
    const watcher = watch(path, { persistent: false }, changed);
    watcher.on("error", () => watcher.close());
    return watcher;
  } catch {
    return undefined;
  }
}
