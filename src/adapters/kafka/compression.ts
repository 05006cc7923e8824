import { promisify } from "node:util";
import { gunzip, gzip, zstdCompress, zstdDecompress } from "node:zlib";
import { compressionsAlgorithms } from "@platformatic/kafka";
import { limit } from "../../core/limit.ts";

/** In the order of their numbers in a batch's attributes: https://kafka.apache.org/documentation/#recordbatch */
export const compressions = ["none", "gzip", "snappy", "lz4", "zstd"] as const;

export type Compression = (typeof compressions)[number];

type Change = (bytes: Buffer) => Buffer | Promise<Buffer>;

interface Codec {
  readonly compress: Change;
  readonly expand: Change;
}

/** What does not fit is an error, as it may be made to fill the memory. */
const bounds = { maxOutputLength: limit.kafkaExpandedBytes };
const [compressGzip, compressZstd] = [promisify(gzip), promisify(zstdCompress)];
const [expandGzip, expandZstd] = [promisify(gunzip), promisify(zstdDecompress)];

/**
 * gzip and zstd work on threads of their own; snappy and lz4 are quick, and the client's. What those expand to has no
 * other bound than that their formats expand 21 and 255 times at most.
 */
const codecs: Readonly<Record<Compression, Codec>> = {
  none: { compress: (bytes) => bytes, expand: (bytes) => bytes },
  gzip: { compress: (bytes) => compressGzip(bytes), expand: (bytes) => expandGzip(bytes, bounds) },
  snappy: {
    compress: (bytes) => compressionsAlgorithms.snappy.compressSync(bytes),
    expand: (bytes) => compressionsAlgorithms.snappy.decompressSync(bytes),
  },
  lz4: {
    compress: (bytes) => compressionsAlgorithms.lz4.compressSync(bytes),
    expand: (bytes) => compressionsAlgorithms.lz4.decompressSync(bytes),
  },
  zstd: { compress: (bytes) => compressZstd(bytes), expand: (bytes) => expandZstd(bytes, bounds) },
};

export function codecOf(compression: Compression): Codec {
  return codecs[compression];
}
