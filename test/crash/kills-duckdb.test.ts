import { describe, test } from "vitest";
import { duckdbPlace, temporaryFolder } from "./crash-place.ts";
import { moments } from "./deaths.ts";
import { append, atomic, killsInAll, merge, parallel, patienceMs, survive } from "./kill-series.ts";

const manners = [append, merge, parallel, atomic];
const kills = Math.ceil(killsInAll / 2 / manners.length);
const blows = [...moments.filter((moment) => moment !== "firstCopyBytes"), "byParent"] as const;

describe("loaders into a DuckDB file, killed again and again, lose and double nothing", () => {
  test.each(manners)("$name", { timeout: patienceMs(kills) }, async (manner) => {
    const folder = temporaryFolder();
    try {
      await survive({ place: duckdbPlace(folder.path), folder: folder.path, manner, blows, kills });
    } finally {
      folder.remove();
    }
  });
});
