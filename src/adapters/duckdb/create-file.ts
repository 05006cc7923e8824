import { access, constants, link, rm, stat } from "node:fs/promises";
import { dirname } from "node:path";
import { MillraceError } from "../../core/error.ts";
import type { EngineHost } from "../../ports/engine.ts";
import { Attachment } from "./attachment.ts";

/**
 * Creates the DuckDB file when it is missing, whole or not at all: a process killed while DuckDB writes the first
 * header would leave a file that nothing can open. It is made under another name and linked to its own.
 */
export async function createFile(engine: EngineHost, file: string): Promise<void> {
  if (await exists(file)) return;
  const unfinished = `${file}.${process.pid}-${engine.uniqueName("new")}`;
  try {
    const attachment = await Attachment.open(engine, unfinished, false);
    const failure = await attachment.close();
    if (failure !== undefined) throw failure;
    await linkUnlessThere(unfinished, file);
  } finally {
    await rm(unfinished, { force: true });
    await rm(`${unfinished}.wal`, { force: true });
  }
}

async function linkUnlessThere(from: string, to: string): Promise<void> {
  try {
    await link(from, to);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    // Another process was first: its file is as good. Where links are not to be had, DuckDB creates the file itself.
    if (code !== "EEXIST" && code !== "EPERM" && code !== "ENOTSUP" && code !== "EOPNOTSUPP") throw error;
  }
}

/** Says what is in the way of a file that is to be opened, where the engine's error would not. */
export async function checkFile(file: string, shown: string, readOnly: boolean): Promise<void> {
  const folder = dirname(file);
  if (!(await exists(folder))) {
    throw new MillraceError("FILE_MISSING", `${shown} cannot be created: its folder does not exist`, {
      remedy: "Create the folder, or name a file in one that exists.",
    });
  }
  if (!(await exists(file))) {
    if (readOnly) throw missing(shown);
    return checkWritable(folder, shown, "folder");
  }
  const info = await stat(file);
  if (!info.isFile()) {
    throw new MillraceError("FILE_NOT_A_FILE", `${shown} is not a file`, { remedy: "Name a file inside the folder." });
  }
  if (info.size === 0) {
    throw new MillraceError("FILE_FORMAT", `${shown} is an empty file, not a DuckDB file`, {
      remedy: "Remove the empty file, or name another one.",
    });
  }
  await checkRight(file, constants.R_OK, () => denied(shown));
  if (!readOnly) await checkWritable(file, shown, "file");
}

function checkWritable(path: string, shown: string, what: string): Promise<void> {
  return checkRight(
    path,
    constants.W_OK,
    () =>
      new MillraceError("SINK_READ_ONLY", `${shown} cannot be written: the ${what} is read-only`, {
        remedy: `Make the ${what} writable, or name another one.`,
      }),
  );
}

async function checkRight(path: string, mode: number, refusal: () => MillraceError): Promise<void> {
  try {
    await access(path, mode);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === "EACCES" || code === "EPERM" || code === "EROFS") throw refusal();
    throw error;
  }
}

async function exists(path: string): Promise<boolean> {
  try {
    await stat(path);
    return true;
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === "ENOENT" || code === "ENOTDIR") return false;
    throw error;
  }
}

function missing(shown: string): MillraceError {
  return new MillraceError("FILE_MISSING", `${shown} is not there`, {
    remedy: "Check the path; a load into it creates it.",
  });
}

function denied(shown: string): MillraceError {
  return new MillraceError("SINK_DENIED", `${shown} may not be read by this user`, {
    remedy: "Give this user the right to the file and its folder.",
  });
}
