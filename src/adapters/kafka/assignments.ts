import { Bell } from "../../core/bell.ts";
import { limit } from "../../core/limit.ts";
import type { Assignment, LogLane } from "../../ports/log.ts";
import type { TopicView } from "./cluster.ts";
import { classifyError } from "./errors.ts";
import { Membership, type MembershipParts } from "./membership.ts";
import { pauseBefore } from "./patience.ts";

export interface AssignmentParts extends MembershipParts {
  /** The lanes of these partitions, as they are now. */
  lanesOf(view: TopicView, partitions: readonly number[]): Promise<readonly LogLane[]>;
  /** Is told of the membership while it lasts. */
  readonly members: Set<Membership>;
  /** Takes what is under way when the assignments end. */
  keep(task: Promise<void>): void;
}

/** See `Log.assignments`. */
export async function* assignmentsOf(
  group: string,
  parts: AssignmentParts,
  signal: AbortSignal,
): AsyncGenerator<Assignment, void> {
  if (signal.aborted) return;
  const bell = new Bell(parts.time);
  const wake = (): void => bell.ring();
  signal.addEventListener("abort", wake);
  const deafen = parts.watch.listen(wake);
  const member = new Membership(group, parts, wake);
  parts.members.add(member);
  try {
    yield* changes(member, parts, bell, signal);
  } finally {
    deafen();
    signal.removeEventListener("abort", wake);
    parts.members.delete(member);
    parts.keep(member.ended());
    await member.leave();
  }
}

async function* changes(
  member: Membership,
  parts: AssignmentParts,
  bell: Bell,
  signal: AbortSignal,
): AsyncGenerator<Assignment, void> {
  let shown: Assignment | undefined;
  let failures = 0;
  let failingSince: number | undefined;
  while (!signal.aborted) {
    const wanted = wantedOf(member, parts);
    if (wanted === undefined) {
      await bell.heard();
      continue;
    }
    // What was taken away ends at once and by itself, though it may have been given back: another had it in between.
    const lost = member.takeLost();
    const kept: Assignment = (shown ?? []).filter(
      ({ name, incarnation }) =>
        incarnation === wanted.view?.id && wanted.partitions.has(Number(name)) && !lost.has(Number(name)),
    );
    if (shown !== undefined && kept.length < shown.length) {
      shown = kept;
      yield kept;
      continue;
    }
    if (shown?.length === wanted.partitions.size) {
      await bell.heard();
      continue;
    }
    try {
      shown = wanted.view === undefined ? [] : await parts.lanesOf(wanted.view, [...wanted.partitions]);
    } catch (error) {
      failingSince ??= parts.time.now();
      failures += 1;
      const lasts = parts.time.now() - failingSince >= limit.kafkaPatienceMs;
      if (lasts || classifyError(error) !== "wait") throw error;
      parts.watch.want();
      await pauseBefore(failures, parts.time, signal);
      continue;
    }
    failures = 0;
    failingSince = undefined;
    if (!signal.aborted) yield shown;
  }
}

interface Wanted {
  /** Undefined: the topic is gone. */
  readonly view: TopicView | undefined;
  readonly partitions: ReadonlySet<number>;
}

/** Undefined while nobody knows: the group has not shared out, or the topic is not found and may come back. */
function wantedOf(member: Membership, { cluster, watch, time }: AssignmentParts): Wanted | undefined {
  const { assigned } = member;
  if (assigned === undefined) return undefined;
  const { view } = cluster;
  if (view !== undefined) {
    const there = [...assigned].filter((partition) => partition < view.partitions.length);
    return { view, partitions: new Set(there) };
  }
  const isGone = watch.missingSince !== undefined && time.now() - watch.missingSince >= limit.kafkaMissingMs;
  return isGone ? { view, partitions: new Set() } : undefined;
}
