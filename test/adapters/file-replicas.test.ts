import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { fileReplicas, fileStore } from "../../src/adapters/file/index.ts";
import { replicasConformance } from "../../src/conformance/index.ts";
import { contentOf, pairsOf, rowsOf } from "../../src/conformance/replicas-scene.ts";
import { limit } from "../../src/core/limit.ts";
import { parsePlace } from "../../src/core/place.ts";
import type { AdapterContext } from "../../src/ports/adapter.ts";

let now = () => Date.now();
const context: AdapterContext = {
  engine: { connect: () => Promise.reject(new Error("replicas need no engine")), uniqueName: (prefix) => prefix },
  now: () => now(),
  pause: (ms) => new Promise((resolve) => setTimeout(resolve, ms)),
  notice: () => undefined,
};

replicasConformance({
  name: "file",
  api: { describe, it, expect },
  skips: {},
  create: async () => {
    const folder = mkdtempSync(join(tmpdir(), "millrace-replicas-"));
    const place = parsePlace(`file:${join(folder, "deep", "replicas.db")}`);
    return {
      replicas: fileReplicas(place, context),
      other: async () => fileReplicas(place, context),
      dispose: async () => rmSync(folder, { recursive: true }),
    };
  },
});

describe("replicas in a file", () => {
  it("share it with a store, and lose what was replaced once nobody can read it any more", async () => {
    const folder = mkdtempSync(join(tmpdir(), "millrace-replicas-"));
    const place = parsePlace(`file:${join(folder, "both.db")}`);
    const [store, replicas] = [fileStore(place, context), fileReplicas(place, context)];
    try {
      await Promise.all([store.open(), replicas.open()]);
      await store.put("k", 1);
      await replicas.write("t", contentOf("1", rowsOf("1", 6_000)));
      const reading = replicas.entries("t")[Symbol.asyncIterator]();
      await reading.next();
      await replicas.write("t", contentOf("2", rowsOf("2", 3)));
      now = () => Date.now() + limit.replicaReadMs + 1_000;
      await replicas.write("u", contentOf("3", rowsOf("3", 3)));
      await expect(reading.next()).rejects.toMatchObject({ code: "SINK_BUSY" });
      expect(await pairsOf(replicas, "t")).toEqual(rowsOf("2", 3));
      expect((await store.get("k"))?.value).toBe(1);
    } finally {
      now = () => Date.now();
      await Promise.all([store.close(), replicas.close()]);
      rmSync(folder, { recursive: true });
    }
  });
});
