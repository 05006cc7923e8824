import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";

const root = join(import.meta.dirname, "..", "..");

interface Forbidden {
  readonly why: string;
  readonly pattern: RegExp;
  /** A text the pattern must find, written so that this file does not hold it. */
  readonly example: string;
}

const spell = (...parts: readonly string[]): string => parts.join("");

const forbidden: readonly Forbidden[] = [
  {
    why: "a path of one machine",
    pattern: /(?<![\w.}])\/(work|root|Users)\/[\w.]/,
    example: spell("see /wo", "rk/main"),
  },
  {
    why: "a path of one machine",
    pattern: /(?<![\w.}/])\/home\/(?!millrace\b|node\b|user\b|me\b)\w/,
    example: spell("see /ho", "me/jane"),
  },
  {
    why: "a folder outside the repository",
    pattern: /(\.\.\/)+shared\//,
    example: spell("see ../sha", "red/design.md"),
  },
  {
    why: "the host of a package registry",
    pattern:
      /\b(registry\.(npmjs|yarnpkg)\.\w+|npm\.pkg\.github\.com|pypi\.org|files\.pythonhosted\.org|proxy\.golang\.org|static\.crates\.io|repo1?\.maven\.(apache\.)?org)\b/,
    example: spell("https://registry.npm", "js.org/pg"),
  },
  {
    why: "a registry, mirror or proxy set for everyone",
    pattern: /^\s*(@[\w-]+:)?(registry|proxy|https-proxy)\s*=/m,
    example: spell("regis", "try=https://example.com/"),
  },
  {
    why: "how the text came about",
    pattern: /\bsub[- ]?agents?\b/i,
    example: spell("a sub", "agent wrote this"),
  },
  {
    why: "a merge left half done",
    pattern: /^(<{7}|>{7}) /m,
    example: spell("<<<<", "<<< HEAD"),
  },
  {
    why: "a private key",
    pattern: /-----BEGIN ([A-Z]+ )?PRIVATE KEY-----/,
    example: spell("-----BEGIN PRIV", "ATE KEY-----"),
  },
];

function findForbidden(text: string): string[] {
  return forbidden.flatMap(({ why, pattern }) => {
    const found = pattern.exec(text);
    return found ? [`${why}: ${found[0].trim()}`] : [];
  });
}

function git(...args: readonly string[]): string {
  return execFileSync("git", args, { cwd: root, encoding: "utf8", maxBuffer: 64 * 1024 * 1024 });
}

/** Tracked files as they are on disk; one that is removed but not yet committed is left out. */
function trackedTexts(): { path: string; text: string }[] {
  const removed = new Set(git("ls-files", "-z", "--deleted").split("\0"));
  const paths = git("ls-files", "-z").split("\0");
  return paths.flatMap((path) => {
    if (path === "" || removed.has(path)) return [];
    const bytes = readFileSync(join(root, path));
    return bytes.includes(0) ? [] : [{ path, text: bytes.toString("utf8") }];
  });
}

describe("what the repository must not hold", () => {
  it.each(forbidden)("is found: $why ($example)", ({ why, pattern, example }) => {
    expect(example).toMatch(pattern);
    expect(findForbidden(`first line\n${example}\n`).join()).toContain(why);
  });

  it("is in no tracked file", () => {
    const found = trackedTexts().flatMap(({ path, text }) => findForbidden(text).map((what) => `${path}: ${what}`));
    expect(found).toEqual([]);
  });

  it("is in no commit message", () => {
    expect(findForbidden(git("log", "--format=%B"))).toEqual([]);
  });

  it("is no build output, package or dependency", () => {
    const paths = trackedTexts().map(({ path }) => path);
    expect(paths.filter((path) => /(^|\/)(node_modules|dist|coverage)\/|\.tgz$/.test(path))).toEqual([]);
  });
});

describe("package-lock.json", () => {
  const lock = JSON.parse(readFileSync(join(root, "package-lock.json"), "utf8")) as {
    packages: Record<string, { resolved?: string; integrity?: string; link?: boolean }>;
  };

  it("names no host, so that everyone installs from their own registry", () => {
    const resolved = Object.entries(lock.packages).filter(([, entry]) => entry.resolved !== undefined);
    expect(resolved.map(([path]) => path)).toEqual([]);
  });

  it("has the hash of every package", () => {
    const open = Object.entries(lock.packages).filter(([path, entry]) => path !== "" && entry.integrity === undefined);
    expect(open.map(([path]) => path)).toEqual([]);
  });
});

describe("package.json", () => {
  const manifest = JSON.parse(readFileSync(join(root, "package.json"), "utf8")) as Record<
    string,
    Record<string, string> | undefined
  >;

  it("pins every dependency to one version", () => {
    const groups = ["dependencies", "devDependencies", "optionalDependencies"].map((key) => manifest[key] ?? {});
    const loose = groups.flatMap((group) => Object.entries(group)).filter(([, range]) => !/^\d+\.\d+\.\d+/.test(range));
    expect(loose).toEqual([]);
  });
});
