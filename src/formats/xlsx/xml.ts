/** What a reader of XML is told. Names come without their prefix, texts as they mean. */
export interface XmlListener {
  /** `attributes` is the text between the name and the end of the tag: see `attributeOf`. */
  open(name: string, attributes: string): void;
  close(name: string): void;
  text(text: string): void;
}

/** Says what is wrong with a text that is no XML, or XML that nobody should send. */
export class XmlFault extends Error {
  override readonly name = "XmlFault";
}

/** Characters of one tag or piece of text at most. */
const tokenCharsMax = 16 * 1024 * 1024;

/**
 * Finds tags and texts in XML that comes in pieces. It holds what has begun and not ended, no more. Entities are the five
 * of XML and numbers: a document type, which could define others, is refused.
 */
export class XmlReader {
  readonly #listener: XmlListener;
  #held = "";

  constructor(listener: XmlListener) {
    this.#listener = listener;
  }

  push(piece: string): void {
    const text = this.#held === "" ? piece : this.#held + piece;
    let at = 0;
    for (;;) {
      const next = this.#token(text, at);
      if (next === undefined) break;
      at = next;
    }
    this.#held = text.slice(at);
    if (this.#held.length > tokenCharsMax) throw new XmlFault("a tag or text in it is too long");
  }

  end(): void {
    if (this.#held.trim() !== "") throw new XmlFault("it ends in the middle");
  }

  /** Where the token at `at` ends, once it is handed on; undefined when more of it is to come. */
  #token(text: string, at: number): number | undefined {
    if (at >= text.length) return undefined;
    const open = text.indexOf("<", at);
    // A text is handed on when its end is there: a listener takes values whole.
    if (open < 0) return undefined;
    if (open > at) {
      this.#listener.text(plainText(text.slice(at, open)));
      return open;
    }
    const second = text.charCodeAt(at + 1);
    if (second === bang) return this.#special(text, at);
    if (second === question) return endOf(text, "?>", at);
    const end = tagEnd(text, at + 1);
    if (end === undefined) return undefined;
    this.#tag(text, at, end);
    return end + 1;
  }

  #tag(text: string, at: number, end: number): void {
    if (text.charCodeAt(at + 1) === slash) {
      this.#listener.close(localName(text.slice(at + 2, end).trimEnd()));
      return;
    }
    const isEmpty = text.charCodeAt(end - 1) === slash;
    const last = isEmpty ? end - 1 : end;
    let nameEnd = at + 1;
    while (nameEnd < last && !isSpace(text.charCodeAt(nameEnd))) nameEnd += 1;
    const name = localName(text.slice(at + 1, nameEnd));
    if (name === "") throw new XmlFault("a tag in it has no name");
    this.#listener.open(name, text.slice(nameEnd, last));
    if (isEmpty) this.#listener.close(name);
  }

  #special(text: string, at: number): number | undefined {
    if (text.startsWith("<!--", at)) return endOf(text, "-->", at);
    if (text.startsWith("<![CDATA[", at)) {
      const end = endOf(text, "]]>", at);
      if (end !== undefined) this.#listener.text(text.slice(at + 9, end - 3));
      return end;
    }
    // Enough of it to tell.
    if (text.length - at < 9) return undefined;
    throw new XmlFault("it has a document type, which is not read");
  }
}

const bang = 33;
const question = 63;
const slash = 47;
const closing = 62;
const doubleQuote = 34;
const singleQuote = 39;

const isSpace = (code: number): boolean => code === 32 || code === 10 || code === 13 || code === 9;

function endOf(text: string, mark: string, from: number): number | undefined {
  const found = text.indexOf(mark, from);
  return found < 0 ? undefined : found + mark.length;
}

/** The `>` of a tag; one within an attribute's quotes is none. */
function tagEnd(text: string, from: number): number | undefined {
  let quote = 0;
  for (let at = from; at < text.length; at += 1) {
    const code = text.charCodeAt(at);
    if (quote !== 0) {
      if (code === quote) quote = 0;
    } else if (code === closing) return at;
    else if (code === doubleQuote || code === singleQuote) quote = code;
  }
  return undefined;
}

function localName(name: string): string {
  const colon = name.indexOf(":");
  return colon < 0 ? name : name.slice(colon + 1);
}

/** The value of an attribute, by its name without prefix; undefined where there is none. */
export function attributeOf(attributes: string, name: string): string | undefined {
  const mark = `${name}=`;
  for (let at = attributes.indexOf(mark); at >= 0; at = attributes.indexOf(mark, at + 1)) {
    const before = attributes.charCodeAt(at - 1);
    if (!isSpace(before) && before !== 58) continue;
    const quote = attributes.charAt(at + mark.length);
    const end = quote === '"' || quote === "'" ? attributes.indexOf(quote, at + mark.length + 1) : -1;
    if (end >= 0) return plainText(attributes.slice(at + mark.length + 1, end));
  }
  // XML allows blanks around the sign, and nobody writes them.
  const spaced = new RegExp(`[\\s:]${name}\\s+=\\s*("([^"]*)"|'([^']*)')`).exec(attributes);
  return spaced === null ? undefined : plainText(spaced[2] ?? spaced[3] ?? "");
}

const named: Readonly<Record<string, string>> = { amp: "&", lt: "<", gt: ">", quot: '"', apos: "'" };

/** A text with its entities replaced, and its line ends as XML means them. */
function plainText(text: string): string {
  const lines = text.includes("\r") ? text.replaceAll(/\r\n?/g, "\n") : text;
  if (!lines.includes("&")) return lines;
  return lines.replaceAll(/&([^;&]{0,12};?)/g, (_, entity: string) => {
    const name = entity.slice(0, -1);
    const known = entity.endsWith(";") ? (named[name] ?? numbered(name)) : undefined;
    if (known === undefined) throw new XmlFault(`it has the unknown entity &${entity.slice(0, 12)}`);
    return known;
  });
}

function numbered(name: string): string | undefined {
  const [, hex, decimal] = /^#(?:x([0-9a-fA-F]{1,6})|([0-9]{1,7}))$/.exec(name) ?? [];
  const code = hex === undefined ? Number(decimal ?? Number.NaN) : Number.parseInt(hex, 16);
  if (!(code > 0 && code <= 0x10ffff) || (code >= 0xd800 && code <= 0xdfff)) return undefined;
  return String.fromCodePoint(code);
}
