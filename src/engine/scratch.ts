import { randomUUID } from "node:crypto";
import { constants } from "node:fs";
import { access, type FileHandle, open, statfs, unlink } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { MillraceError } from "../core/error.ts";

/**
 * A file that DuckDB reads a batch from. On Linux it lies in shared memory and has no name once opened, so that
 * nothing is left behind even after kill -9; elsewhere it is a temporary file, removed when disposed.
 */
export interface Scratch {
  readonly path: string;
  dispose(): Promise<void>;
}

const sharedMemory = "/dev/shm";
/** Below this much free shared memory (containers give 64 MiB by default) a temporary file is used. */
const sharedMemoryFreeMin = 4;

export async function scratchFile(bytes: Uint8Array): Promise<Scratch> {
  const folder = await scratchFolder(bytes.byteLength);
  const name = join(folder, `millrace-${randomUUID()}`);
  const file = await open(name, "wx+", 0o600);
  try {
    if (process.platform === "linux") await unlink(name);
    await writeAll(file, bytes);
  } catch (cause) {
    await file.close();
    if (process.platform !== "linux") await unlink(name);
    throw new MillraceError("DISK", `A batch could not be written to ${folder}`, {
      remedy: "Make room there, or point TMPDIR at a folder with room.",
      cause,
    });
  }
  if (process.platform === "linux") {
    return { path: `/proc/self/fd/${file.fd}`, dispose: () => file.close() };
  }
  return {
    path: name,
    dispose: async () => {
      await file.close();
      await unlink(name);
    },
  };
}

async function writeAll(file: FileHandle, bytes: Uint8Array): Promise<void> {
  for (let done = 0; done < bytes.byteLength; ) {
    const { bytesWritten } = await file.write(bytes, done, bytes.byteLength - done, done);
    done += bytesWritten;
  }
}

async function scratchFolder(sizeBytes: number): Promise<string> {
  if (process.platform !== "linux") return tmpdir();
  try {
    await access(sharedMemory, constants.W_OK);
    const { bavail, bsize } = await statfs(sharedMemory);
    return bavail * bsize >= sizeBytes * sharedMemoryFreeMin ? sharedMemory : tmpdir();
  } catch {
    return tmpdir(); // no shared memory on this system: the temporary folder serves as well
  }
}
