// Imported before a measured Node program: at its exit it writes what the process used to the file that
// MILLRACE_BENCH_USAGE names. A file and no pipe, since the command line may replace its own process.
import { writeFileSync } from "node:fs";

process.on("exit", () => {
  const { userCPUTime, systemCPUTime, maxRSS } = process.resourceUsage();
  const used = { cpuMs: (userCPUTime + systemCPUTime) / 1000, peakBytes: maxRSS * 1024 };
  writeFileSync(process.env["MILLRACE_BENCH_USAGE"] ?? "", JSON.stringify(used));
});
