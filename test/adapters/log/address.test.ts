import { describe, expect, it } from "vitest";
import { readAddress } from "../../../src/adapters/log/address.ts";
import { embeddedLog } from "../../../src/adapters/log/index.ts";
import { parsePlace } from "../../../src/core/place.ts";
import { Scene } from "./scene.ts";

describe("the URL of an embedded log", () => {
  it("names a folder, and nothing else has to be said", () => {
    expect(readAddress(parsePlace("log:/data/stream/events"))).toEqual({
      shown: "log:/data/stream/events",
      folder: "/data/stream/events",
      lanes: undefined,
      retentionMs: 7 * 86_400_000,
      bytesMax: 10 * 2 ** 30,
    });
  });

  it("says how many lanes there are, how long records are kept, and how much room they may take", () => {
    const { lanes, retentionMs, bytesMax } = readAddress(parsePlace("log:x?lanes=1024&retention=36h&max=1.5GB"));
    expect([lanes, retentionMs, bytesMax]).toEqual([1024, 36 * 3_600_000, 1.5 * 2 ** 30]);
  });

  it.each([
    ["log:x?lane=8", "the unknown option lane"],
    ["log:x?lanes=0", "lanes are not a number from 1 to 1024"],
    ["log:x?lanes=1025", "lanes are not a number"],
    ["log:x?lanes=8.5", "lanes are not a number"],
    ["log:x?lanes=", "lanes are not a number"],
    ["log:x?retention=7", "retention is not a time"],
    ["log:x?retention=0d", "retention is not a time"],
    ["log:x?retention=-1d", "retention is not a time"],
    ["log:x?max=10", "max is not a size of at least 1 MB"],
    ["log:x?max=all", "max is not a size"],
    ["log://host/x", "names no folder"],
  ])("refuses %s", (url, why) => {
    const open = (): unknown => embeddedLog(parsePlace(url), new Scene().context);
    expect(open).toThrow(expect.objectContaining({ code: "URL_INVALID", message: expect.stringContaining(why) }));
  });
});
