import { existsSync } from "node:fs";
import { join } from "node:path";
import { defineConfig } from "vitest/config";

const reporter = join(import.meta.dirname, "test", "servers", "reporter.ts");

export default defineConfig({
  test: {
    include: ["test/**/*.test.ts", "src/**/*.test.ts"],
    exclude: ["**/node_modules/**", "**/dist/**", "**/fixtures/**"],
    // Real processes: native modules, signals and servers are part of what is tested.
    pool: "forks",
    maxWorkers: 2,
    testTimeout: 30_000,
    hookTimeout: 60_000,
    // A crowded machine kills a merge with one test in four thousand. What passed only when tried again is listed: mend it.
    retry: process.env["CI"] === undefined ? 0 : 1,
    watch: false,
    reporters: existsSync(reporter) ? ["default", reporter] : ["default"],
    coverage: { provider: "v8", include: ["src/**"], reporter: ["text-summary", "html"] },
  },
});
