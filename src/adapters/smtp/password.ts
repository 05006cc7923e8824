import { execFile } from "node:child_process";
import { readFile, stat } from "node:fs/promises";
import { promisify } from "node:util";
import { MillraceError } from "../../core/error.ts";

const keyringMs = 10_000;

/** Where a password is kept: never in the URL, which is written down in many places. */
export interface PasswordPlace {
  /** `password_file`: read by its owner alone. */
  readonly file: string | undefined;
  /** `keyring`: the service under which the keyring of the system has it (`secret-tool store`). */
  readonly keyring: string | undefined;
}

/** The password, looked up anew each time. Throws SINK_DENIED. */
export async function passwordFrom({ file, keyring }: PasswordPlace, user: string): Promise<string | undefined> {
  if (file !== undefined) return fromFile(file);
  return keyring === undefined ? undefined : fromKeyring(keyring, user);
}

async function fromFile(path: string): Promise<string> {
  try {
    const { mode, uid } = await stat(path);
    const isOthers = process.platform !== "win32" && ((mode & 0o077) !== 0 || ![0, process.getuid?.()].includes(uid));
    if (isOthers)
      throw withheld("The file of the password can be read by others", "Let it belong to this user: chmod 600.");
    return (await readFile(path, "utf8")).replace(/\r?\n$/, "");
  } catch (cause) {
    if (cause instanceof MillraceError) throw cause;
    throw withheld("The file of the password cannot be read", "Check the path of password_file.", cause);
  }
}

async function fromKeyring(service: string, user: string): Promise<string> {
  try {
    const args = ["lookup", "service", service, "account", user];
    const { stdout } = await promisify(execFile)("secret-tool", args, { timeout: keyringMs });
    if (stdout !== "") return stdout.replace(/\r?\n$/, "");
  } catch (cause) {
    throw withheld(
      "The keyring gives no password",
      "Store it: secret-tool store, or take password_file.",
      (cause as { code?: unknown }).code,
    );
  }
  throw withheld(
    "The keyring has no such password",
    `secret-tool store --label=millrace service ${service} account ${user}`,
  );
}

function withheld(what: string, remedy: string, cause?: unknown): MillraceError {
  return new MillraceError("SINK_DENIED", what, { remedy, ...(cause === undefined ? {} : { cause }) });
}
