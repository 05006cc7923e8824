import { type MillraceError, toMillraceError } from "../core/error.ts";
import type { Member } from "../runtime/workers/member.ts";

/** `serve` answers the applications' routes, `work` runs their pipelines, `all` does both. */
export const roles = ["all", "serve", "work"] as const;
export type Role = (typeof roles)[number];

/** What this process does of the applications' work, and when. */
export interface Duty {
  readonly serves: boolean;
  readonly works: boolean;
  /** False as long as another process works at the pipelines, whose place this one takes. */
  readonly isAtWork: () => boolean;
  /**
   * Calls `begin` when the pipelines are to be run, if ever. Behind listening: a second start by mistake must not take the
   * lanes of the first. What keeps them from running is thrown, or told where that comes later.
   */
  readonly whenToWork: (begin: () => void, failed: (error: MillraceError) => void) => void;
}

/** Of a process that does one thing alone, which it is told. */
export const bystander: Pick<Duty, "works" | "isAtWork"> = { works: false, isAtWork: () => false };

export function dutyOf(role: Role, member: Member | undefined): Duty {
  const serves = role !== "work";
  if (member === undefined) {
    const works = role !== "serve";
    return { serves, works, isAtWork: () => true, whenToWork: (begin) => (works ? begin() : undefined) };
  }
  let isAtWork = false;
  const works = member.number === 1;
  const whenToWork: Duty["whenToWork"] = (begin, failed) => {
    const work = (): void => {
      isAtWork = true;
      begin();
    };
    member.whenToWork.then(work).catch((error: unknown) => failed(toMillraceError(error)));
  };
  return { serves, works, isAtWork: () => isAtWork, whenToWork };
}
