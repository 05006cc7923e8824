import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { dropConformance, filesConformance, type FolderHarness } from "../../../src/conformance/index.ts";
import { openDrop } from "../../../src/runtime/schemes.ts";
import { filesAt } from "../../../src/runtime/source-files.ts";
import { context, folderOn } from "./folder.ts";

const root = mkdtempSync(join(tmpdir(), "millrace-folder-"));
afterAll(() => rmSync(root, { recursive: true }));

let folders = 0;
const harness: FolderHarness = {
  name: "file",
  api: { describe, it, expect },
  skips: {},
  create: async () => {
    folders += 1;
    const name = `folder ${folders}`;
    const place = folderOn(root, `file:${root}`, name);
    return {
      ...place,
      files: (pattern) => filesAt(pattern.startsWith("/") ? pattern : join(root, name, pattern), context),
      drop: () => openDrop(`file:${join(root, name)}`, context),
    };
  },
};
filesConformance(harness);
dropConformance(harness);
