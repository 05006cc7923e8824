/**
 * A memory budget can only hold if the allocators give back what is freed. V8's young generation and glibc's arenas
 * are sized when a process starts and by default grow to hundreds of megabytes under the garbage of a steady load.
 * So commands that move data replace their own process, once, by one that starts with these settings; process id,
 * terminal and arguments stay. Where the system cannot do that (Windows, or under an IPC channel) they run as they are.
 */
const nodeSettings = ["--disable-warning=ExperimentalWarning"];

/** MiB. A service answers many small requests: what they leave behind dies young, and costs little in more room. */
const semiSpace = { start: 16, others: 4 };

/** glibc: one arena, and memory above these sizes returned at once (bytes). Other C libraries ignore them. */
const allocatorSettings = {
  MALLOC_ARENA_MAX: "1",
  MALLOC_TRIM_THRESHOLD_: "131072",
  MALLOC_MMAP_THRESHOLD_: "65536",
};

const marker = "MILLRACE_MEMORY_BOUNDED";
const movesData = new Set(["load", "run", "rejects", "start", "profile"]);

/** Does not return when the process is replaced. */
export function boundMemory(args: readonly string[]): void {
  const command = args.find((arg) => !arg.startsWith("-"));
  const cannot = process.platform === "win32" || process.send !== undefined || typeof process.execve !== "function";
  if (cannot || process.env[marker] !== undefined || command === undefined || !movesData.has(command)) return;
  const script = process.argv[1];
  if (script === undefined) return;
  const env = { ...allocatorSettings, ...process.env, [marker]: "1" };
  const heap = `--max-semi-space-size=${command === "start" ? semiSpace.start : semiSpace.others}`;
  const nodeArgs = [...process.execArgv, heap, ...nodeSettings];
  process.execve?.(process.execPath, [process.execPath, ...nodeArgs, script, ...args], env);
}
