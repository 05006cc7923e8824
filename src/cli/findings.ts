import type { Finding } from "../ports/sink.ts";
import type { Screen } from "./screen.ts";
import { safeText } from "./shown.ts";

const marks = {
  ok: { style: "green", text: "ok  " },
  warn: { style: "yellow", text: "warn" },
  fail: { style: "red", text: "fail" },
} as const;

/** Findings under a heading, each with its remedy. */
export function printFindings(heading: string, findings: readonly Finding[], screen: Screen): void {
  screen.line(screen.style("bold", safeText(heading)));
  const width = Math.max(...findings.map(({ check }) => check.length));
  for (const { state, check, detail, remedy } of findings) {
    const mark = marks[state];
    screen.line(`  ${screen.style(mark.style, mark.text)}  ${check.padEnd(width)}  ${safeText(detail)}`);
    if (remedy !== undefined && state !== "ok") screen.line(`        ${" ".repeat(width)}→ ${safeText(remedy)}`);
  }
}

export function findingJson(subject: Readonly<Record<string, string>>, finding: Finding): string {
  return JSON.stringify({ event: "finding", ...subject, ...finding });
}

export function hasFailed(findings: readonly Finding[]): boolean {
  return findings.some(({ state }) => state === "fail");
}
