import type { Reporter, SerializedError, TestModule, TestSuite } from "vitest/node";
import { notRunLine } from "./not-run-line.ts";

type State = "passed" | "failed" | "skipped";
type Counts = Record<State, number>;

/** Counts tests. What broke outside of a test (an import, a hook) counts as a failed one: the line must not hide it. */
function count(modules: readonly TestModule[], stray: readonly SerializedError[]): Counts {
  const counts: Counts = { passed: 0, failed: stray.length, skipped: 0 };
  for (const module of modules) {
    for (const test of module.children.allTests()) {
      const { state } = test.result();
      counts[state === "pending" ? "failed" : state] += 1;
    }
    const holders = [module, ...module.children.allSuites()];
    counts.failed += holders.filter((holder) => holder.errors().length > 0).length;
  }
  return counts;
}

function servicesNotRun(suites: TestSuite[]): string[] {
  return [...new Set(suites.flatMap((suite) => suite.meta().notRun ?? []))].sort();
}

/** Tests that failed and then passed: on CI they are tried a second time, and must not be forgotten for that. */
function flakyTests(modules: readonly TestModule[]): string[] {
  return modules.flatMap((module) =>
    [...module.children.allTests()]
      .filter((test) => test.diagnostic()?.flaky === true)
      .map((test) => `FLAKY: ${module.relativeModuleId} > ${test.fullName} (passed when tried again)`),
  );
}

/**
 * Ends the run with what could not be tested and with one line of counts. A person may lack a server; on CI all of
 * them can be had, so that a test which did not run there has failed.
 */
export default class NotRunReporter implements Reporter {
  onTestRunEnd(modules: readonly TestModule[], stray: readonly SerializedError[]): void {
    const missing = servicesNotRun(modules.flatMap((module) => [...module.children.allSuites()]));
    const { passed, failed, skipped } = count(modules, stray);
    const lines = [...flakyTests(modules), ...missing.map(notRunLine)];
    lines.push(`${passed} passed, ${failed} failed${skipped > 0 ? `, ${skipped} skipped` : ""}`);
    const onCi = (process.env["CI"] ?? "") !== "";
    if (missing.length > 0 && onCi) process.exitCode = 1;
    // The other reporters print their summary at this same event; this comes after it.
    process.once("exit", () => process.stdout.write(`${lines.join("\n")}\n`));
  }
}
