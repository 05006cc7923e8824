/** Every bound in one place. Bytes are bytes, times are milliseconds; units stand last in the names. */
const KiB = 1024;
const MiB = 1024 * KiB;

export const limit = {
  /** Memory budget of the whole process unless `--memory` says otherwise. */
  memoryBytes: 512 * MiB,
  memoryBytesMin: 256 * MiB,
  /** With less the engine cannot write to a DuckDB file of many millions of rows: 48 MiB failed at 13.5 million. */
  engineBytesMin: 80 * MiB,
  /** Raw bytes of one batch. A batch is cut at the last whole record below this. */
  batchBytes: 8 * MiB,
  batchBytesMin: MiB,
  /** Records of one batch: fits the 24 bits that lineage leaves for the row within a batch. */
  batchRecords: 2 ** 22,
  /** A longer record is a reject of which the first `rejectBytes` are kept. */
  recordBytes: 16 * MiB,
  /** Bytes of a rejected record kept in `millrace_reject`. */
  rejectBytes: 64 * KiB,
  /** Rejects replayed in one transaction, and of one look at those that are open. */
  replayRejects: 5_000,
  rejectsPage: 128,
  /** Characters of a failing value shown in a reason. */
  reasonValueChars: 200,
  columns: 4096,
  identifierChars: 63,
  parallel: 64,
  /** Bytes read to find the delimiter, the header and the encoding. */
  sniffBytes: 256 * KiB,
  /** Decoded bytes looked at when a contract is inferred; past it the rest is taken on trust. */
  inferBytes: 256 * MiB,
  /** A compressed file may expand by this factor, once past `expandBytes`; beyond it is taken for a bomb. */
  expandRatio: 1000,
  expandBytes: 64 * MiB,
  /** First rejects shown in a summary. */
  rejectsShown: 5,
  /** Waiting for a destination that is down: first pause, longest pause, and when a one-off command gives up. */
  retryFirstMs: 100,
  retryMaxMs: 5_000,
  retryTotalMs: 120_000,
  /** When a one-off load gives up that has not reached its destination once: its URL is more likely wrong. */
  firstConnectionMs: 15_000,
  /** A lane that another process took is taken back when its position has not moved for this long. */
  takeoverMs: 15_000,
  /** A hung zombie may keep a lane's row lock no longer than this. */
  lockMs: 30_000,
  idleInTransactionMs: 60_000,
  connectMs: 10_000,
  /** How often a followed folder is looked at. */
  pollMs: 1_000,
  /** Rows that `query` and `preview` print for people. */
  rowsShown: 20,
} as const;
