import { stat } from "node:fs/promises";
import { MillraceError } from "../core/error.ts";
import { parsePlace } from "../core/place.ts";
import type { Sink } from "../ports/sink.ts";
import type { Session } from "./session.ts";

/** The sink at `url`, opened to read what is in it. Creates nothing: a place that is not there is FILE_MISSING. */
export async function openToRead(session: Session, url: string, stateSchema?: string): Promise<Sink> {
  await requirePlace(url);
  const sink = await session.sink(url, stateSchema === undefined ? {} : { stateSchema });
  try {
    await sink.open("read");
  } catch (error) {
    throw sink.explain(error);
  }
  return sink;
}

/** Whether a place on this machine is there; true for places elsewhere, which say so when they are asked. */
export async function placeExists(url: string): Promise<boolean> {
  const { path } = parsePlace(url);
  if (path === "" || path === ":memory:") return true;
  return (await stat(path).catch(() => undefined)) !== undefined;
}

export async function requirePlace(url: string): Promise<void> {
  if (await placeExists(url)) return;
  const { shown } = parsePlace(url);
  throw new MillraceError("FILE_MISSING", `${shown} is not there`, {
    remedy: "Check the path; a load into it creates it.",
    at: { source: shown },
  });
}
