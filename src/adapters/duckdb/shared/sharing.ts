import { MillraceError } from "../../../core/error.ts";
import type { AdapterContext } from "../../../ports/adapter.ts";
import type { Attachment } from "../attachment.ts";
import { Turns } from "../turns.ts";
import { Host } from "./host.ts";

/** A file that is shared, by how many sinks of this process, and whose turn it is to begin or end that. */
interface Entry {
  readonly turns: Turns;
  host: Host | undefined;
  sharers: number;
}

// Sinks of one process share an attachment, and with it the host of the file.
const entries = new WeakMap<Attachment, Entry>();

/**
 * Lets other processes of this user work with the attached file until what it resolves with is called, which may be done
 * twice. `shown` is the file for people. Throws DISK.
 */
export async function shareAttachment(
  attachment: Attachment,
  context: AdapterContext,
  shown: string,
): Promise<() => Promise<void>> {
  const entry = entries.get(attachment) ?? { turns: new Turns(), host: undefined, sharers: 0 };
  entries.set(attachment, entry);
  await entry.turns.inTurn(async () => {
    entry.host ??= await openHost(attachment, context, shown);
    entry.sharers += 1;
  });
  let ended: Promise<void> | undefined;
  return () => (ended ??= entry.turns.inTurn(() => letGo(entry)));
}

async function openHost(attachment: Attachment, context: AdapterContext, shown: string): Promise<Host> {
  try {
    return await Host.open(attachment.file, context);
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new MillraceError("DISK", `${shown} cannot be shared with other processes: ${why}`, {
      remedy: "Let the folder of the file and the temporary folder be writable.",
      cause,
    });
  }
}

async function letGo(entry: Entry): Promise<void> {
  entry.sharers -= 1;
  if (entry.sharers > 0) return;
  const { host } = entry;
  entry.host = undefined;
  await host?.close();
}
