import { execFile } from "node:child_process";
import { promisify } from "node:util";
import type { User } from "./place.ts";

export interface Tool {
  command: string;
  args: string[];
  /** It works here, and puts here what is temporary: in a shared folder two of a kind may take each other's files. */
  folder: string;
  env?: Record<string, string>;
  user?: User | undefined;
}

/** Runs a program that prepares a server, to its end. What it said is in the error. */
export async function runTool({ command, args, folder, env, user }: Tool): Promise<void> {
  try {
    await promisify(execFile)(command, args, {
      cwd: folder,
      env: { ...process.env, TMPDIR: folder, ...env },
      ...(user === undefined ? {} : { uid: user.uid, gid: user.gid }),
    });
  } catch (error) {
    const { stdout = "", stderr = "", message } = error as Error & { stdout?: string; stderr?: string };
    throw new Error(`${message}\n${stdout}${stderr}`, { cause: error });
  }
}
