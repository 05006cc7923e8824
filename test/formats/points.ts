import { lineFormat, type LineRecord } from "../../src/index.ts";

const latitude = /^Latitude: .*\s(-?\d+\.\d+)$/;
const longitude = /^Longitude: .*\s(-?\d+\.\d+)$/;

/** Points of two or three lines each: where a line is missing, that point alone is lost. */
export const points = lineFormat({
  name: "points",
  columns: ["latitude", "longitude", "timestamp"],
  linesMax: 3,
  read: ([first = "", second = "", third = ""], file): LineRecord => {
    const north = latitude.exec(first)?.[1];
    const east = longitude.exec(second)?.[1];
    if (north !== undefined && east !== undefined) {
      const lines = third.startsWith("Distance:") ? 3 : 2;
      return { lines, values: [north, east, /_(\d+)\.txt$/.exec(file)?.[1] ?? null] };
    }
    if (first.startsWith("Latitude:")) return { lines: 1, fault: "a latitude without its longitude" };
    if (first.startsWith("Longitude:")) return { lines: 1, fault: "a longitude without its latitude" };
    if (first === "" || first.startsWith("Distance:")) return { lines: 1 };
    return { lines: 1, fault: "no line of a point" };
  },
});

/** A file of points with a fault of each kind that real ones have, and the lines on which rejects are expected. */
export function pointsText(count: number, lineEnd = "\n"): { text: string; rejects: readonly number[] } {
  const lines: string[] = [];
  const rejects: number[] = [];
  for (let index = 0; index < count; index += 1) {
    const [north, east, distance] = pointLines(index);
    const isAlone = index % 40 === 13 || index % 40 === 27;
    if (isAlone) rejects.push(lines.length + 1);
    if (index % 40 !== 13) lines.push(north);
    if (index % 40 !== 27) lines.push(east);
    if (index % 40 !== 31) lines.push(distance);
  }
  return { text: lines.join(lineEnd), rejects };
}

function pointLines(index: number): readonly [string, string, string] {
  const north = `Latitude: 30°02′59″S   -30.0${4_982_864 + index}`;
  return [north, `Longitude: 51°12′05″W   -51.2${150_245 + index}`, "Distance: 2.2959 km  Bearing: 137.352°"];
}
