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
  /** Lines that a text format of an application's own looks at to tell a record. */
  formatLines: 1_000,
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
  /** The same of what a workbook holds, whose texts and numbers pack less well; and bytes of its list of parts. */
  zipExpandRatio: 300,
  zipDirectoryBytes: 16 * MiB,
  /** Of a workbook: its texts, those of them held in memory, the rest lying in a file, and sheets. */
  sharedTextBytes: 2048 * MiB,
  sharedTextMemoryBytes: 8 * MiB,
  sheets: 10_000,
  /** First rejects shown in a summary. */
  rejectsShown: 5,
  /** Examples of a column's values in a profile, and of what a step changed in a summary. */
  examplesShown: 3,
  /** Waiting for a destination that is down: first pause, longest pause, and when a one-off command gives up. */
  retryFirstMs: 100,
  retryMaxMs: 5_000,
  retryTotalMs: 120_000,
  /** When a one-off load gives up that has not reached its destination once: its URL is more likely wrong. */
  firstConnectionMs: 15_000,
  /** A lane that another process took is taken back when its position has not moved for this long. */
  takeoverMs: 15_000,
  /** A lane of a log that another process took, although it is assigned to this one, is claimed again after this. */
  reclaimMs: 3_000,
  /** A hung zombie may keep a lane's row lock no longer than this. */
  lockMs: 30_000,
  idleInTransactionMs: 60_000,
  connectMs: 10_000,
  /** How often a followed folder is looked at. */
  pollMs: 1_000,
  /** What is received over HTTP is held in memory up to this size, beyond it in a temporary file. */
  spoolMemoryBytes: 256 * KiB,
  /** Rejects that the answer to one upload holds; the sink keeps all. */
  receiptRejects: 1_000,
  /** How long the answer to an upload waits for a sink that is away; then the caller is told to come again. */
  intakePatienceMs: 5_000,
  /** Uploads that may wait for their turn. */
  intakeWaiting: 2_000,
  /** A pipeline of a service that failed is begun again after a pause that grows up to this. */
  pipelinePauseMaxMs: 60_000,
  /** Processes of a service that share a port; callers and routes whose requests they count together. */
  workers: 64,
  countedKeys: 20_000,
  /** A worker that is replaced waits so long for callers to let go of their connections: somewhat longer than one is kept alive. */
  drainMs: 11_000,
  /** Records of an insight at most. */
  insightRows: 1_000_000,
  /** A body that is read at once, and the pairs of a form in it; files come bit by bit. */
  parsedBodyBytes: 64 * KiB,
  formPairs: 100,
  /** A field of a form, a name or a password among them. */
  formFieldBytes: 64 * KiB,
  /** Values of a log that are handed over at once. */
  logPieceBytes: MiB,
  /** A batch of records of a log: at most so many, and how long the first of them waits for others. */
  logBatchRows: 20_000,
  logBatchBytes: 2 * MiB,
  /** Text that is made of a batch of binary values, for each of their bytes: what is over waits for the next one. */
  decodedRatio: 2,
  lingerMs: 200,
  /** Values of a batch that are appended to a log at once. */
  logAppendBytes: 4 * MiB,
  /** Largest value of a log. */
  logValueBytes: 16 * MiB,
  /** Characters of a schema of messages, how deep its types and values may be nested, and digits and bytes of a decimal. */
  schemaChars: MiB,
  avroDepth: 64,
  avroDecimalDigits: 300,
  avroDecimalBytes: 128,
  /** Schemas of a registry that are kept, and their characters in all. */
  schemasKept: 1_000,
  schemasKeptChars: 4 * MiB,
  /** Schemas that one batch may bring. */
  schemasAtOnce: 64,
  /** Schemas that one of them may name, one through another. */
  schemaReferences: 100,
  /** One request to a registry, those made at the same time, and how long a registry is waited for that is away. */
  registryMs: 10_000,
  registryRequests: 8,
  registryPatienceMs: 120_000,
  /** A schema that a registry does not know yet is asked for once more after this. */
  registrySecondLookMs: 500,
  /** Small keyed data: see ports/store. */
  storeKeyChars: 200,
  storeValueBytes: MiB,
  /** A lease whose holder is not heard of for this long is another's; how often it says so, and how often others look. */
  leaseMs: 6_000,
  leaseBeatMs: 1_000,
  leaseLookMs: 50,
  /** File drops: files in the folder, and bytes of a ticket. */
  dropFiles: 20_000,
  ticketBytes: 64 * KiB,
  /** How long a mail server, or a webhook, may take for one step. */
  mailMs: 20_000,
  /** Replicas: characters of a name, rows and bytes that are written or read at once. */
  replicaNameChars: 200,
  replicaPieceRows: 500,
  replicaPieceBytes: MiB,
  /** How long what was replaced or cleared is kept for those who still read it; after it what a write left is removed. */
  replicaReadMs: 600_000,
  /** Processes that may work through one that holds a DuckDB file; what they say to each other, and how far ahead. */
  sharedGuests: 64,
  sharedFrameBytes: 64 * MiB,
  sharedPieceBytes: 256 * KiB,
  sharedPiecesAhead: 4,
  /** Refused rows whose bytes are asked for at once. */
  sharedRefusals: 1_000,
  /** Rows that `query` and `preview` print for people. */
  rowsShown: 20,
  /** Insights: files of a folder, bytes of one, and what one may declare of each kind. */
  insights: 1_000,
  insightFileBytes: 64 * KiB,
  insightDeclarations: 256,
  /** Characters of a parameter's value. */
  insightValueChars: 1_000,
  /** Rows of an insight that are sorted outside of the database, and bytes of one answer. */
  insightSortedRows: 50_000,
  insightBytes: 16 * MiB,
  /** Answers kept to be given again, and their bytes in all. */
  insightCacheEntries: 1_000,
  insightCacheBytes: 32 * MiB,
  /** A kept answer is computed anew after this, as rows may change without Millrace. */
  insightAgeMs: 60_000,
  /** Requests that are answered again without the framework's way, and characters of the address of one. */
  shortAnswers: 1_000,
  shortAnswerUrlChars: 2_000,
  /** How often the ledger is asked at most whether tables have changed; what it said holds for twice as long. */
  insightVersionMs: 100,
  /** Newest batches of a table that make its version: lanes commit out of order, a lower batch behind a higher one. */
  insightVersionBatches: 64,
  /** Queries of insights that run at the same time, and that wait for one to end. */
  insightQueries: 4,
  insightQueriesWaiting: 256,
  /** Kafka: records that wait to be confirmed, in bytes; appends beyond them wait, and beyond the second are refused. */
  kafkaQueueBytes: 32 * MiB,
  kafkaWaitingBytes: 64 * MiB,
  /** A batch of one partition is sent when it has these bytes, or when it has lingered; a request holds several. */
  kafkaBatchBytes: 512 * KiB,
  kafkaRequestBytes: 8 * MiB,
  /** Fetched ahead of what readers take, over all lanes of a log; and what the records of one batch may expand to. */
  kafkaFetchBytes: 16 * MiB,
  kafkaExpandedBytes: 256 * MiB,
  /** How long a fetch waits at the end of its lanes. */
  kafkaFetchMs: 500,
  /** When an append that no broker confirms is given up; and how long a read outlives that no broker answers. */
  kafkaAppendMs: 30_000,
  kafkaPatienceMs: 30_000,
  /** One request to a broker that runs and does not answer. */
  kafkaRequestMs: 15_000,
  /** A member of a group that is not heard of for this long loses its lanes; how often it says that it is there. */
  kafkaSessionMs: 10_000,
  kafkaHeartbeatMs: 1_000,
  /** How often it is looked at whether a topic has more partitions, or was made anew. */
  kafkaTopicMs: 5_000,
  /** A topic that is not found for this long is gone. */
  kafkaMissingMs: 3_000,
  /** How often settled offsets are told to Kafka at most. */
  kafkaSettleMs: 5_000,
  /** NATS: records that wait to be confirmed, and their bytes; others wait, and beyond so many bytes are refused. */
  natsInFlight: 2_000,
  natsInFlightBytes: 8 * MiB,
  natsQueueBytes: 64 * MiB,
  /** When an append of which nothing more is confirmed is given up; how long reading outlives that nothing works. */
  natsAppendMs: 10_000,
  natsPatienceMs: 30_000,
  /** One request to JetStream. */
  natsRequestMs: 5_000,
  /** How often the server is asked whether it is there; it is not when three are without an answer. */
  natsPingMs: 5_000,
  /** Messages that are asked for at once, how long the server waits for them, and how often it says that it does. */
  natsPull: 10_000,
  natsPullMs: 30_000,
  natsPulseMs: 2_000,
  /** A consumer that nobody asks for messages any more is removed by the server after this. */
  natsIdleMs: 30_000,
  /** A member of a group that is not heard of for this long loses its lanes; how often it says that it is there. */
  natsLeaseMs: 5_000,
  natsBeatMs: 1_000,
  /** How often it is looked at whether a lane was made anew. */
  natsLanesMs: 3_000,
  /** How often settled offsets are written at most. */
  natsSettleMs: 5_000,
  /** Redis: appends that wait, in bytes; beyond them they are refused. */
  redisQueueBytes: 64 * MiB,
  /** What is appended before it is made sure of once, and of that at once and whole: records and bytes. */
  redisRoundBytes: 16 * MiB,
  redisScriptBytes: 2 * MiB,
  redisScriptRecords: 2_000,
  /** A server that answers nothing for this long is lost; how long is waited for its disk and its replicas. */
  redisRequestMs: 15_000,
  redisSyncMs: 10_000,
  /** How long reading outlives that nothing works. */
  redisPatienceMs: 30_000,
  /** Entries that are read at once; how long a reader waits at the end before it looks whether its lane is still there. */
  redisPiece: 2_000,
  redisBlockMs: 2_000,
  /** A member of a group that is not heard of for this long loses its lanes; how often it says that it is there. */
  redisLeaseMs: 5_000,
  redisBeatMs: 500,
  /** How often it is looked at whether a lane was made anew, and how often records are removed that are too old. */
  redisLanesMs: 2_000,
  redisTrimMs: 1_000,
  /** How often settled offsets are written at most. */
  redisSettleMs: 5_000,
  /** The embedded log: bytes of records that are stored as one row, that one commit gathers, and of a key or an id. */
  embeddedRowBytes: 256 * KiB,
  embeddedCommitBytes: 8 * MiB,
  embeddedKeyBytes: 64 * KiB,
  embeddedLanes: 1_024,
  /** Appends that wait for the disk; beyond them they are refused. */
  embeddedWaitingBytes: 64 * MiB,
  /** Its write-ahead log is folded into the file when it is larger. */
  embeddedAheadBytes: 32 * MiB,
  /** How often it is looked for what other processes append while somebody waits; and where a watched file tells of it. */
  embeddedLookMs: 10,
  embeddedWatchedLookMs: 250,
  /** A member of a group that is not heard of for this long loses its lanes; how often it says that it is there. */
  embeddedLeaseMs: 4_000,
  embeddedBeatMs: 1_000,
  /** How often a member looks whether the lanes are shared anew, and whether the folder was replaced. */
  embeddedMeetMs: 100,
  /** How often old records are removed, and how many rows and bytes in one transaction. */
  embeddedTrimMs: 60_000,
  embeddedTrimRows: 2_000,
  embeddedTrimBytes: 16 * MiB,
  /** Files on servers: what one folder, or a pattern, may hold, and folders that a pattern leads through. */
  remoteEntries: 20_000,
  remoteFolders: 1_000,
  /** A server that says nothing for this long is lost; how often it is tried again, with growing pauses. */
  remoteMs: 20_000,
  remoteAttempts: 9,
  /** Connections that wait to be used again, and bytes that are read ahead of a file. */
  remoteIdleConnections: 4,
  remotePieceBytes: MiB,
  /** Files of a server that are kept beside it while they are read out of order. */
  remoteDownloads: 64,
  /** How often a followed folder of a server is looked at; of any folder, the longest that may be asked for. */
  remotePollMs: 3_000,
  pollMsMax: 86_400_000,
  /** Queues: what Millrace puts into one message: records, and their bytes. */
  queueMessageRecords: 500,
  queueMessageBytes: 64 * KiB,
  /** Messages that one lane of a queue holds at once: two batches. */
  queuePrefetch: 1_000,
  /** A message that came back so often is worked on alone; and when it is set aside. */
  queueCarefulAttempts: 3,
  queueAttempts: 10,
  /** How long reading a queue outlives that nothing works; how long an empty one is waited for by a run that ends. */
  queuePatienceMs: 30_000,
  queueEmptyMs: 200,
  /** How often message ids are removed that are too old, and how many at once; how old unless the place says. */
  trimMs: 3_600_000,
  trimRows: 10_000,
  repeatMs: 7 * 86_400_000,
  /** How often it is looked at how much waits in a queue. */
  backlogMs: 5_000,
  /** RabbitMQ: how often each side says that it is there, and when a publish that is not confirmed is given up. */
  amqpHeartbeatMs: 5_000,
  amqpConfirmMs: 15_000,
  /** How long the end of a connection is waited for. */
  amqpCloseMs: 2_000,
  /** What is remembered of each pipeline of a service: seconds of figures, and delays of records. */
  figureSeconds: 300,
  figureDelays: 2_048,
  /** How often the sinks are asked for what the overview shows, while somebody looks. */
  overviewLookMs: 3_000,
  /** Streams of the overview at once, and how often they tell. */
  overviewStreams: 100,
  overviewMs: 1_000,
  /** Batches that the page of a pipeline is made of, and lanes that it shows. */
  ledgerShown: 1_000,
  lanesShown: 1_000,
  /** How long a session of the console lasts, and how many a user has at once: the oldest give way. */
  sessionMs: 12 * 3_600_000,
  sessionsOfUser: 20,
  /** Files of the console that are held. */
  consoleFiles: 500,
  /** The longest pause between two turns of an application that found nothing to do. */
  turnPauseMaxMs: 15_000,
  /** Rows over HTTP: those of one answer, those that come at once, and those that one request may change. */
  rowsTake: 1_000_000,
  rowsAtOnce: 1_000,
  rowsChanged: 1_000,
  rowsBodyBytes: 4 * MiB,
  /** Characters of a query string of theirs, and conditions and values of one condition. */
  rowsQueryChars: 8_192,
  rowsConditions: 100,
} as const;
