import { chownSync, existsSync, mkdirSync, readdirSync, renameSync, rmSync, statSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import type { FolderPlace } from "../../../src/conformance/index.ts";
import type { AdapterContext } from "../../../src/ports/adapter.ts";
import { openDrop } from "../../../src/runtime/schemes.ts";
import { filesAt } from "../../../src/runtime/source-files.ts";

export const context: AdapterContext = {
  engine: { connect: () => Promise.reject(new Error("no engine is needed")), uniqueName: (prefix) => prefix },
  now: () => Date.now(),
  pause: (ms, signal) => {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const timer = setTimeout(resolve, ms);
    signal?.addEventListener("abort", () => {
      clearTimeout(timer);
      reject(signal.reason as Error);
    });
    return promise;
  },
  notice: () => undefined,
};

/** Makes what the test puts there belong to whom the folder belongs to: the server's own user. */
function give(path: string, like: string): void {
  const { uid, gid } = statSync(like);
  if (process.getuid?.() === 0) chownSync(path, uid, gid);
}

/** A file of this content below `root`, whole at once, and of the same owner. */
export function putFile(root: string, path: string, content: string | Uint8Array): void {
  const target = join(root, path);
  for (let folder = dirname(target), missing: string[] = []; ; folder = dirname(folder)) {
    if (!existsSync(folder)) {
      missing = [folder, ...missing];
      continue;
    }
    for (const one of missing) {
      mkdirSync(one);
      give(one, root);
    }
    break;
  }
  const part = join(root, "..", `part-${process.pid}`);
  writeFileSync(part, content);
  give(part, root);
  renameSync(part, target);
}

/** A fresh folder below `root`, which the server shows at `url`. */
export function folderOn(root: string, url: string, name: string): FolderPlace {
  const folder = join(root, name);
  mkdirSync(folder);
  give(folder, root);
  const [head = "", query] = url.split("?");
  const behind = query === undefined ? "" : `?${query}`;
  const at = `${head.replace(/\/$/, "")}/${name}`;
  const encoded = (path: string): string => path.split("/").map(encodeURIComponent).join("/");
  return {
    files: (pattern) => filesAt(/^[a-z0-9]+:/.test(pattern) ? pattern : `${at}/${encoded(pattern)}${behind}`, context),
    drop: () => openDrop(`${at}${behind}`, context),
    put: async (path, content) => putFile(folder, path, content),
    paths: async () => {
      const found = readdirSync(folder, { recursive: true, withFileTypes: true });
      const files = found.filter((entry) => entry.isFile());
      return files.map((entry) => join(entry.parentPath, entry.name).slice(folder.length + 1)).toSorted();
    },
    dispose: async () => rmSync(folder, { recursive: true }),
  };
}
