import type { Appendable } from "../ports/log.ts";
import type { Queue } from "../ports/queue.ts";
import { packRecords } from "./queue-messages.ts";

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
