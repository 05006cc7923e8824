import { parsePlace } from "../core/place.ts";
import type { AdapterContext } from "../ports/adapter.ts";
import type { Appendable } from "../ports/log.ts";
import type { Queue } from "../ports/queue.ts";
import { packRecords } from "./queue-messages.ts";
import { isQueue, openLog, openQueue } from "./schemes.ts";

/** What takes records at `url`, a log or a queue, not yet connected. */
export async function openAppendable(url: string, context: AdapterContext, recordsMax?: number): Promise<Appendable> {
  return isQueue(parsePlace(url)) ? queueEntrance(await openQueue(url, context), recordsMax) : openLog(url, context);
}

/** The way into a queue, as something that takes records. `recordsMax` is how many of them go into one message. */
export function queueEntrance(queue: Queue, recordsMax = queue.facts.recordsMax): Appendable {
  const { shown, facts } = queue;
  return {
    shown,
    facts: { durability: facts.durability, valueBytesMax: facts.bodyBytesMax },
    open: () => queue.open(),
    append: (records) => queue.publish([...packRecords(records, { recordsMax })]),
    classify: (error) => queue.classify(error),
    explain: (error) => queue.explain(error),
    close: () => queue.close(),
  };
}
