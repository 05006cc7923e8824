import { describe, test } from "vitest";
import { filePlace, temporaryFolder } from "./crash-place.ts";
import { moments } from "./deaths.ts";
import { append, atomic, killsInAll, parallel, patienceMs, survive } from "./kill-series.ts";

const manners = [append, parallel, atomic];
/** Besides those that the two databases take. */
const kills = Math.ceil(killsInAll / 14);
const blows = moments.filter((moment) => moment !== "firstCopyBytes").toReversed();

describe("loaders into a folder of Parquet files, killed again and again, lose and double nothing", () => {
  test.each(manners)("$name", { timeout: patienceMs(kills) }, async (manner) => {
    const folder = temporaryFolder();
    try {
      await survive({ place: filePlace(folder.path), folder: folder.path, manner, blows, kills });
    } finally {
      folder.remove();
    }
  });
});
