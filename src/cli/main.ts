#!/usr/bin/env node
// Stands alone: an old Node must come as far as the sentence that asks for a newer one, and the version must not wait
// for the engine to load. So nothing is imported here but what every Node has; the rest follows on demand.
import { ownVersion } from "./version.ts";

const needed = { major: 22, minor: 22 };

function isNodeTooOld(): boolean {
  const [major = 0, minor = 0] = process.versions.node.split(".").map(Number);
  return major < needed.major || (major === needed.major && minor < needed.minor);
}

const args = process.argv.slice(2);
if (isNodeTooOld()) {
  console.error(
    `error USAGE: Millrace needs Node ${needed.major}.${needed.minor} or later, and this is ${process.version}`,
  );
  console.error("  → Install a newer Node, or run it with one: npx --package=node@24 -- node …");
  process.exitCode = 2;
} else if (args[0] === "--version" || args[0] === "-V") {
  console.log(ownVersion());
} else {
  const { boundMemory } = await import("./bounded-memory.ts");
  boundMemory(args);
  const { main } = await import("./program.ts");
  process.exitCode = await main(args, ownVersion());
}
