import { posix } from "node:path";
import { type Node, parseSync, Visitor } from "oxc-parser";

export interface Import {
  /** As written: "../core/batch.ts", "node:fs", "pg". */
  readonly specifier: string;
  /** The path in the repository a relative specifier leads to; undefined for a package or a Node module. */
  readonly target: string | undefined;
  readonly typeOnly: boolean;
}

export interface FunctionSize {
  readonly name: string;
  readonly line: number;
  /** Lines of the function without those of the functions inside it: a factory is as long as its own part. */
  readonly lines: number;
}

export interface Module {
  readonly path: string;
  readonly lines: number;
  readonly imports: readonly Import[];
  readonly functions: readonly FunctionSize[];
  /** Nothing but re-exports. */
  readonly barrel: boolean;
  /** Lines with `new Date()`, which reads the clock. */
  readonly clockReads: readonly number[];
}

/** What the architecture rules need to know of one file. Throws when the file cannot be parsed. */
export function readModule(path: string, text: string): Module {
  const parsed = parseSync(path, text, { sourceType: "module" });
  const problem = parsed.errors[0];
  if (problem !== undefined) throw new Error(`${path}: ${problem.message}`);
  const lineAt = lineCounter(text);
  const imports: Import[] = [];
  const addImport = (specifier: string, typeOnly: boolean): void => {
    imports.push({ specifier, target: resolve(path, specifier), typeOnly });
  };

  for (const found of parsed.module.staticImports) {
    const typeOnly = found.entries.length > 0 && found.entries.every((entry) => entry.isType);
    addImport(found.moduleRequest.value, typeOnly);
  }
  for (const found of parsed.module.staticExports) {
    const from = found.entries.find((entry) => entry.moduleRequest !== null)?.moduleRequest;
    if (from)
      addImport(
        from.value,
        found.entries.every((entry) => entry.isType),
      );
  }
  for (const found of parsed.module.dynamicImports) {
    const literal = /^["'`](.*)["'`]$/s.exec(text.slice(found.moduleRequest.start, found.moduleRequest.end));
    if (literal?.[1] !== undefined) addImport(literal[1], false);
  }

  const spans: { name: string; first: number; last: number }[] = [];
  const clockReads: number[] = [];
  const addFunction = (node: Span & { id?: { name: string } | null }): void => {
    spans.push({ name: node.id?.name ?? "a function", first: lineAt(node.start), last: lineAt(node.end) });
  };
  new Visitor({
    FunctionDeclaration: addFunction,
    FunctionExpression: addFunction,
    ArrowFunctionExpression: addFunction,
    TSImportType: (node) => addImport(node.source.value, true),
    NewExpression: (node) => {
      const readsClock =
        node.callee.type === "Identifier" && node.callee.name === "Date" && node.arguments.length === 0;
      if (readsClock) clockReads.push(lineAt(node.start));
    },
  }).visit(parsed.program);

  return {
    path,
    lines: lineAt(text.trimEnd().length),
    imports,
    functions: ownLines(spans),
    barrel: isBarrel(parsed.program.body),
    clockReads,
  };
}

interface Span {
  readonly start: number;
  readonly end: number;
}

function resolve(path: string, specifier: string): string | undefined {
  if (!specifier.startsWith(".")) return undefined;
  return posix.normalize(posix.join(posix.dirname(path), specifier));
}

function isBarrel(body: readonly Node[]): boolean {
  const reExports = body.filter(
    (node) => node.type === "ExportAllDeclaration" || (node.type === "ExportNamedDeclaration" && node.source !== null),
  );
  return reExports.length > 0 && reExports.length === body.length;
}

function ownLines(spans: readonly { name: string; first: number; last: number }[]): FunctionSize[] {
  return spans.map((outer) => {
    const inner = new Set<number>();
    for (const span of spans) {
      const nested = span !== outer && span.first >= outer.first && span.last <= outer.last;
      // The first line of a nested function belongs to the outer one: something is called or assigned there.
      if (nested) for (let line = span.first + 1; line <= span.last; line++) inner.add(line);
    }
    return { name: outer.name, line: outer.first, lines: outer.last - outer.first + 1 - inner.size };
  });
}

/** Line of an offset, counted from 1. */
function lineCounter(text: string): (offset: number) => number {
  const starts = [0];
  for (let at = text.indexOf("\n"); at !== -1; at = text.indexOf("\n", at + 1)) starts.push(at + 1);
  return (offset) => {
    let low = 0;
    let high = starts.length;
    while (low + 1 < high) {
      const middle = (low + high) >>> 1;
      if ((starts[middle] ?? 0) <= offset) low = middle;
      else high = middle;
    }
    return low + 1;
  };
}
