import type { ColumnProfile } from "../../transforms/profile/profile.ts";
import { countText } from "../figures.ts";

/** `1,204`, or `≈1,204` where it is an estimate. */
export const distinctText = ({ distinct, distinctIsExact }: ColumnProfile): string =>
  `${distinctIsExact ? "" : "≈"}${countText(distinct)}`;
