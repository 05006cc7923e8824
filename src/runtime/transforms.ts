import type { Transforms } from "../ports/transform.ts";
import { addressesTransform } from "../transforms/addresses.ts";
import { dedupeTransform } from "../transforms/dedupe.ts";
import { imputeTransform } from "../transforms/impute.ts";
import { narrowTransform } from "../transforms/narrow.ts";
import { profileTransform } from "../transforms/profile/step.ts";
import { repairJsonTransform } from "../transforms/repair-json.ts";
import { scaleTransform } from "../transforms/scale.ts";

const all = [
  ...[addressesTransform, dedupeTransform, imputeTransform, narrowTransform],
  ...[profileTransform, repairJsonTransform, scaleTransform],
];

/** The steps that come with Millrace, by name. */
export const transforms: Transforms = (name) => all.find((transform) => transform.name === name);
