/** The SQL of an insight, taken apart as far as it takes to tell `:name` from what only looks so. */
export interface BoundSql {
  /** One statement without its semicolon, `$n` in the place of each parameter, cast to its type. */
  readonly sql: string;
  /** Names of `$1`, `$2`, …: each once, however often it stands. */
  readonly bindings: readonly string[];
  /** Whether LIMIT, OFFSET or FETCH stands outside of all brackets. */
  readonly limited: boolean;
}

/** What is wrong, on which line of the SQL, from 1. */
export class SqlMistake extends Error {
  readonly line: number;
  readonly remedy: string;
  constructor(line: number, message: string, remedy: string) {
    super(message);
    this.line = line;
    this.remedy = remedy;
  }
}

// The order is that of the alternatives. A word takes what is left of a number, so that no name begins in the middle.
const parts = [
  String.raw`(?<space>\s+|--[^\n]*)`,
  String.raw`(?<comment>/\*)`,
  String.raw`(?<text>[eE]'(?:[^'\\]|''|\\[^])*'|'(?:[^']|'')*'|"(?:[^"]|"")*"|\$(?<tag>[\p{L}_][\p{L}\p{N}_]*)?\$[^]*?\$\k<tag>\$)`,
  String.raw`(?<cast>::)`,
  String.raw`:(?<name>[A-Za-z_][A-Za-z0-9_]*)`,
  String.raw`(?<word>[\p{L}_][\p{L}\p{N}_$]*)`,
  String.raw`(?<number>\p{N}[\p{L}\p{N}_.]*)`,
  "(?<mark>[^])",
].join("|");

/** Binds the parameters, whose types in SQL are given by their names. Throws SqlMistake. */
export function bindParameters(text: string, types: ReadonlyMap<string, string>): BoundSql {
  const reader = new SqlReader(text, types);
  return reader.read();
}

class SqlReader {
  readonly #text: string;
  readonly #types: ReadonlyMap<string, string>;
  readonly #token = new RegExp(parts, "uy");
  readonly #bindings: string[] = [];
  #sql = "";
  #depth = 0;
  #limited = false;
  #first: string | undefined;
  #ended = false;

  constructor(text: string, types: ReadonlyMap<string, string>) {
    this.#text = text;
    this.#types = types;
  }

  read(): BoundSql {
    for (let at = 0; at < this.#text.length; at = this.#token.lastIndex) {
      this.#token.lastIndex = at;
      const match = this.#token.exec(this.#text);
      this.#take(match?.groups ?? {}, match?.[0] ?? "", at);
    }
    if (this.#first === undefined) throw this.#mistake(0, "it holds no SQL", "Write a SELECT under the comment lines.");
    if (this.#depth !== 0) throw this.#mistake(0, "a bracket is never closed", "Close it.");
    return { sql: this.#sql.trimEnd(), bindings: this.#bindings, limited: this.#limited };
  }

  #take(groups: Readonly<Record<string, string | undefined>>, token: string, at: number): void {
    const { space, comment, name, word, mark } = groups;
    if (space !== undefined) return this.#keep(token);
    if (comment !== undefined) return this.#keepComment(at);
    if (this.#ended)
      throw this.#mistake(at, "it holds several statements", "Write one SELECT; others go into files of their own.");
    if (name !== undefined) return this.#bind(name, at);
    if (word !== undefined) this.#noteWord(word.toLowerCase(), at);
    if (mark === ";") {
      this.#ended = true;
      return;
    }
    if (mark !== undefined) this.#noteMark(mark, at);
    this.#keep(token);
  }

  #keep(token: string): void {
    if (!this.#ended) this.#sql += token;
  }

  /** Comments nest, in PostgreSQL and DuckDB. */
  #keepComment(at: number): void {
    const mark = /\/\*|\*\//g;
    mark.lastIndex = at;
    for (let depth = 0; ; ) {
      const found = mark.exec(this.#text);
      if (found === null) throw this.#mistake(at, "a comment is never closed", "Close it with */.");
      depth += found[0] === "/*" ? 1 : -1;
      if (depth > 0) continue;
      this.#keep(this.#text.slice(at, mark.lastIndex));
      this.#token.lastIndex = mark.lastIndex;
      return;
    }
  }

  #bind(name: string, at: number): void {
    const type = this.#types.get(name);
    if (type === undefined) {
      const remedy = `Declare it: -- parameter ${name} TYPE. Where the colon means something else, put a space behind it.`;
      throw this.#mistake(at, `:${name} is not declared`, remedy);
    }
    if (!this.#bindings.includes(name)) this.#bindings.push(name);
    this.#sql += `cast($${this.#bindings.indexOf(name) + 1} as ${type})`;
  }

  #noteWord(word: string, at: number): void {
    if (this.#first === undefined) {
      if (word !== "select" && word !== "with") {
        throw this.#mistake(
          at,
          `it begins with ${word.toUpperCase().slice(0, 40)}`,
          "Write one SELECT, or WITH and a SELECT.",
        );
      }
      this.#first = word;
    }
    if (this.#depth === 0 && /^(limit|offset|fetch)$/.test(word)) this.#limited = true;
  }

  #noteMark(mark: string, at: number): void {
    if (mark === "'" || mark === '"') throw this.#mistake(at, "a quote is never closed", `Close it with ${mark}.`);
    if (mark === "$") {
      throw this.#mistake(
        at,
        "a $ opens nothing that is closed",
        "Write parameters as :name; $1 and $name are not known here.",
      );
    }
    if (mark === "(") this.#depth += 1;
    if (mark === ")") this.#depth -= 1;
    if (this.#depth < 0)
      throw this.#mistake(at, "a bracket is closed that was never opened", "Open it, or take it away.");
  }

  #mistake(at: number, message: string, remedy: string): SqlMistake {
    return new SqlMistake(this.#text.slice(0, at).split("\n").length, message, remedy);
  }
}
