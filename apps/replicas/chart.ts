import { crc32, deflateSync } from "node:zlib";

const width = 480;
const barHeight = 14;
const gap = 4;
const barsMax = 40;

const paper = [255, 255, 255] as const;
const track = [233, 236, 239] as const;
const ink = [208, 73, 51] as const;

/** A picture of how much of each column is missing: a bar a column, in their order; PNG. Undefined when nothing is. */
export function missingChart(shares: readonly number[]): Uint8Array | undefined {
  const bars = shares.slice(0, barsMax);
  if (bars.length === 0) return undefined;
  const height = bars.length * (barHeight + gap) + gap;
  const rows = Array.from({ length: height }, (_, y) => {
    const bar = Math.floor((y - gap) / (barHeight + gap));
    const isBar = y >= gap && (y - gap) % (barHeight + gap) < barHeight;
    return rowOf(isBar ? bars[bar] : undefined);
  });
  return png(height, Buffer.concat(rows));
}

/** One line of the picture; behind a byte that says that it is as it stands. */
function rowOf(share: number | undefined): Buffer {
  const filled = share === undefined ? 0 : Math.max(1, Math.round(Math.min(1, share) * width));
  const pixels = Array.from({ length: width }, (_, x) => (share === undefined ? paper : x < filled ? ink : track));
  return Buffer.from([0, ...pixels.flat()]);
}

function png(height: number, raw: Buffer): Uint8Array {
  const header = Buffer.alloc(13);
  header.writeUInt32BE(width, 0);
  header.writeUInt32BE(height, 4);
  // Eight bits of red, green and blue.
  header.set([8, 2, 0, 0, 0], 8);
  const signature = Buffer.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]);
  return Buffer.concat([
    signature,
    chunk("IHDR", header),
    chunk("IDAT", deflateSync(raw)),
    chunk("IEND", Buffer.alloc(0)),
  ]);
}

function chunk(type: string, data: Buffer): Buffer {
  const body = Buffer.concat([Buffer.from(type, "latin1"), data]);
  const [length, sum] = [Buffer.alloc(4), Buffer.alloc(4)];
  length.writeUInt32BE(data.length);
  sum.writeUInt32BE(crc32(body));
  return Buffer.concat([length, body, sum]);
}
