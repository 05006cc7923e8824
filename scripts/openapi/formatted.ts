import { execFileSync } from "node:child_process";
import { join } from "node:path";

const root = join(import.meta.dirname, "..", "..");

/** The text as the project's formatter writes it; `name` tells the language. */
export function formatted(text: string, name: string): string {
  const biome = join(root, "node_modules", ".bin", "biome");
  return execFileSync(biome, ["format", `--stdin-file-path=${name}`], { cwd: root, input: text, encoding: "utf8" });
}
