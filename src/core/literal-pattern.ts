/** Braces are expanded before brackets are read, and nothing quotes them: a range stands for one, hardly more. */
const braces: Readonly<Record<string, string>> = { "{": "[z-|]", "}": "[|-~]" };

/** The pattern that means a path of this very text. */
export function literalPattern(path: string): string {
  return path.replaceAll(/[[\]{}*?]/g, (character) => braces[character] ?? `[${character}]`);
}
