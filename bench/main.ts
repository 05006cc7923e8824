// npm run bench -- NAME [flags]: measures ratios on this machine; see README.md beside this file.
const benches: Readonly<Record<string, () => Promise<{ run: (args: readonly string[]) => Promise<boolean> }>>> = {
  load: () => import("./load.ts"),
  http: () => import("./http.ts"),
  profile: () => import("./profile.ts"),
  log: () => import("./log.ts"),
  stream: () => import("./stream.ts"),
  rows: () => import("./rows.ts"),
};

const [name = "", ...args] = process.argv.slice(2);
const open = benches[name];
if (open === undefined) {
  console.error(`usage: npm run bench -- ${Object.keys(benches).join("|")} [flags]`);
  process.exitCode = 2;
} else {
  const { run } = await open();
  process.exitCode = (await run(args)) ? 0 : 1;
}
