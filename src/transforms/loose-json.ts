/** What Python and others write where JSON has other words. */
const words: Readonly<Record<string, string>> = {
  ...{ None: "null", null: "null", undefined: "null", nan: "null", NaN: "null", inf: "null", Infinity: "null" },
  ...{ True: "true", true: "true", False: "false", false: "false" },
};

const depthMax = 256;
const closers: Readonly<Record<string, string>> = { "{": "}", "[": "]", "(": ")" };

/**
 * JSON of a text that means it: JSON itself, a Python dict, list or tuple, also with inner quotes that nobody escaped.
 * Texts in it lose the blanks around them; numbers stay as they are written. Undefined when it cannot be made out.
 */
export function jsonOfLoose(text: string): string | undefined {
  const undoubled = doubled.test(text) ? new LooseReader(text.replaceAll('""', '"')).read() : undefined;
  return undoubled ?? new LooseReader(text).read();
}

/** Quotes doubled as in CSV: an empty text would be followed by what parts values. */
const doubled = /^\s*[{[(]\s*""[^",:\]})\s]/;

class LooseReader {
  readonly #text: string;
  #at = 0;

  constructor(text: string) {
    this.#text = text;
  }

  read(): string | undefined {
    const value = this.#value(0);
    this.#skipBlanks();
    return this.#at === this.#text.length ? value : undefined;
  }

  #value(depth: number): string | undefined {
    this.#skipBlanks();
    const char = this.#text.charAt(this.#at);
    if (depth > depthMax) return undefined;
    if (char === "{") return this.#object(depth);
    if (char === "[" || char === "(") return this.#list(depth, closers[char] ?? "]");
    if (char === "'" || char === '"') return this.#string();
    if ((char === "u" || char === "b" || char === "r") && /^['"]/.test(this.#text.charAt(this.#at + 1))) {
      this.#at += 1;
      return this.#string();
    }
    return this.#word();
  }

  #object(depth: number): string | undefined {
    const members: string[] = [];
    this.#at += 1;
    for (;;) {
      if (this.#takes("}")) return `{${members.join(",")}}`;
      const name = this.#value(depth + 1);
      if (name === undefined || !this.#takes(":")) return undefined;
      const value = this.#value(depth + 1);
      if (value === undefined) return undefined;
      members.push(`${name.startsWith('"') ? name : JSON.stringify(name)}:${value}`);
      if (!this.#takes(",") && this.#next() !== "}") return undefined;
    }
  }

  #list(depth: number, closer: string): string | undefined {
    const items: string[] = [];
    this.#at += 1;
    for (;;) {
      if (this.#takes(closer)) return `[${items.join(",")}]`;
      const value = this.#value(depth + 1);
      if (value === undefined) return undefined;
      items.push(value);
      if (!this.#takes(",") && this.#next() !== closer) return undefined;
    }
  }

  #string(): string | undefined {
    const quote = this.#text.charAt(this.#at);
    let out = "";
    for (let at = this.#at + 1; at < this.#text.length; at += 1) {
      const char = this.#text.charAt(at);
      if (char === "\\") {
        const escape = escapeAt(this.#text, at);
        out += escape.text;
        at += escape.length - 1;
      } else if (char === quote && this.#isEnd(at + 1)) {
        this.#at = at + 1;
        return JSON.stringify(out.trim());
      } else out += char;
    }
    return undefined;
  }

  /** Whether what comes behind a quote shows that the text ends with it: else it is a quote of the text. */
  #isEnd(at: number): boolean {
    ending.lastIndex = at;
    return ending.test(this.#text);
  }

  #word(): string | undefined {
    wordOrNumber.lastIndex = this.#at;
    const [found] = wordOrNumber.exec(this.#text) ?? [];
    if (found === undefined) return undefined;
    this.#at += found.length;
    return words[found.replace(/^-/, "")] ?? numberText(found);
  }

  #takes(char: string): boolean {
    if (this.#next() !== char) return false;
    this.#at += 1;
    return true;
  }

  #next(): string {
    this.#skipBlanks();
    return this.#text.charAt(this.#at);
  }

  #skipBlanks(): void {
    while (this.#at < this.#text.length && this.#text.charCodeAt(this.#at) <= 32) this.#at += 1;
  }
}

/** A name's colon, the end of what holds it, the end of all, or a comma and the beginning of another value. */
const ending =
  /\s*(?:[:}\])]|$|,\s*(?:[ubr]?["']|[{[(}\])]|-?[0-9.]|(?:None|True|False|null|true|false|nan|NaN)\b|$))/y;
const wordOrNumber = /[A-Za-z]+|-?(?:[A-Za-z]+|[0-9.][0-9.eE+_-]*)/y;

/** A number as JSON writes it; undefined for what is none, such as a code with leading zeros. */
function numberText(text: string): string | undefined {
  const plain = text
    .replaceAll("_", "")
    .replace(/^(-?)[.]/, "$10.")
    .replace(/[.](?=$|[eE])/, "");
  return /^-?(0|[1-9][0-9]*)([.][0-9]+)?([eE][+-]?[0-9]+)?$/.test(plain) ? plain : undefined;
}

const shortEscapes: Readonly<Record<string, string>> = { n: "\n", t: "\t", r: "\r", b: "\b", f: "\f", "\n": "" };

function escapeAt(text: string, at: number): { readonly text: string; readonly length: number } {
  const next = text.charAt(at + 1);
  const digits = { x: 2, u: 4, U: 8 }[next];
  const hex = digits === undefined ? "" : text.slice(at + 2, at + 2 + digits);
  if (digits !== undefined && hex.length === digits && /^[0-9a-fA-F]+$/.test(hex)) {
    const code = Number.parseInt(hex, 16);
    const char = digits === 8 ? (code <= 0x10ffff ? String.fromCodePoint(code) : "\ufffd") : String.fromCharCode(code);
    return { text: char, length: 2 + digits };
  }
  return { text: shortEscapes[next] ?? next, length: 2 };
}
