import type { Change } from "../ports/transform.ts";
import { countText } from "./figures.ts";
import { clip } from "./shown.ts";

const valueChars = 40;

/** `impute: age 37 changed, such as nothing → "31.4"` */
export function changeText({ step, column, what, count, examples }: Change): string {
  const [first] = examples;
  const shown = (value: string | null): string =>
    value === null ? "nothing" : clip(JSON.stringify(value), valueChars);
  const arrow = what === "changed" && first !== undefined ? ` → ${shown(first.to)}` : "";
  const example = first === undefined ? "" : `, such as ${shown(first.from)}${arrow}`;
  return `${step}: ${column} ${countText(count)} ${what === "changed" ? "changed" : "left as they are"}${example}`;
}
