import { connect } from "node:net";
import { limit } from "../../../core/limit.ts";
import type { AdapterContext } from "../../../ports/adapter.ts";
import { lockHolder } from "../errors.ts";
import { type Location, realFile } from "../location.ts";
import { frameOf, framesIn } from "./frames.ts";
import { Guest } from "./guest.ts";
import { contentOf, type Greeting, greetingIn, objectionTo, ownVersions } from "./handshake.ts";
import { readNote, type ShareNote } from "./share-note.ts";

/** The process that has the file, ready to be worked through, or what there is to say about it when it cannot be. */
export type FoundHost = { readonly guest: Guest } | { readonly about: string | undefined };

/**
 * Looks for the host of a file that is locked. `locked` is the engine's error, which names who has it. Rejects with
 * SINK_BUSY when there is one that cannot be worked through, such as another version's.
 */
export async function findHost(location: Location, context: AdapterContext, locked: unknown): Promise<FoundHost> {
  const found = await readNote(await realFile(location.path));
  if (found.state === "none") return { about: undefined };
  if (found.state === "foreign") return { about: "may be a service of another user, who alone can work through it" };
  const guest = found.state === "there" ? await join(found.note, location, context) : undefined;
  if (guest !== undefined) return { guest };
  // A note that a killed process has left says nothing about the one that has the file now.
  const isHolder = lockHolder(locked) === `PID ${found.note.pid}`;
  return { about: isHolder ? `is a service that does not answer at ${found.note.socket}` : undefined };
}

/** Connects to the host; undefined when nobody answers. */
async function join(note: ShareNote, location: Location, context: AdapterContext): Promise<Guest | undefined> {
  const own = ownVersions();
  const socket = connect({ path: note.socket });
  // Whatever ends the connection, its frames end too: that is where it is noticed.
  socket.on("error", () => undefined);
  socket.setTimeout(limit.connectMs, () => socket.destroy());
  const frames = framesIn(socket as AsyncIterable<Buffer>);
  const greeting = await greetingFrom(frames);
  if (greeting === undefined) {
    socket.destroy();
    return undefined;
  }
  const objection = objectionTo(greeting, own, location.shown);
  if (objection !== undefined) {
    socket.destroy();
    throw objection;
  }
  socket.setTimeout(0);
  const { schema, stateSchema, shown } = location;
  socket.write(frameOf(contentOf({ ...own, key: note.key, schema, stateSchema, shown })));
  return new Guest({ socket, frames, pid: greeting.pid, shown }, context);
}

async function greetingFrom(frames: AsyncGenerator<Buffer, void>): Promise<Greeting | undefined> {
  try {
    const first = await frames.next();
    return first.done === true ? undefined : greetingIn(first.value);
  } catch {
    return undefined; // refused, or ended before it was said
  }
}
