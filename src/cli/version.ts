// Imports nothing but what every Node has: an old one must come as far as the sentence that asks for a newer one.
import { createRequire } from "node:module";

/** The version of this package, wherever in it this file lies. */
export function ownVersion(): string {
  const manifest = createRequire(import.meta.url)("millrace/package.json") as { readonly version: string };
  return manifest.version;
}
