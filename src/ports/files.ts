/** A file as a listing or a look at it shows it. */
export interface FileEntry {
  /** What people call it: as given, or as found by the pattern given. */
  readonly path: string;
  readonly sizeBytes: number;
  /** Changes whenever the content may have changed: time of modification and size, an ETag. */
  readonly version: string;
}

/** What stands under an opened file's path by now. */
export interface FileState {
  /** Of the opened file: it stays readable where the place allows, whatever becomes of its name. */
  readonly sizeBytes: number;
  readonly version: string;
  /** The name now belongs to another file, or to none. */
  readonly name: "same" | "replaced" | "gone";
}

export interface OpenFile extends FileEntry {
  /**
   * The bytes from `start` up to `end`, in pieces of at most a MiB; fewer when the file has become shorter. Stops
   * reading when the loop is left. Several reads may run at once. Throws FILE_UNREADABLE.
   */
  read(start: number, end: number): AsyncIterable<Uint8Array>;
  now(): Promise<FileState>;
  close(): Promise<void>;
}

/**
 * A place that holds files: a folder, a drop on a server, a bucket. Paths are those of `list`. Content is identified by
 * whoever reads it; the place only says when it may have changed. Errors are MillraceErrors naming the path.
 */
export interface Files {
  /** The place without secrets. */
  readonly shown: string;
  /** How often it is looked at while it is followed; `limit.pollMs` when absent. */
  readonly pollMs?: number;
  /**
   * The files that the place's path or pattern means, sorted by path; none when nothing matches. Throws
   * FILE_NOT_A_FILE when the path is a folder, FILE_UNREADABLE when it cannot be looked at.
   */
  list(): Promise<readonly FileEntry[]>;
  /** Paths beside the one that was looked for, to suggest what may have been meant; at most a thousand. */
  nearby(): Promise<readonly string[]>;
  /** Throws FILE_MISSING, FILE_NOT_A_FILE, FILE_UNREADABLE. */
  open(path: string): Promise<OpenFile>;
  /** A path of this machine at which the whole content can be read, for readers that seek. */
  local(path: string): Promise<string>;
  /**
   * Moves the file into the folder `folder` beside it, under a name that is still free. Durable on return. A file that
   * is gone already has been moved.
   */
  move(path: string, folder: string): Promise<void>;
  /** Removes the file. Durable on return. A file that is gone already has been removed. */
  remove(path: string): Promise<void>;
  close(): Promise<void>;
}
