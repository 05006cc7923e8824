import type { XmlListener } from "./xml.ts";

/**
 * Gathers the text of each element `item`: that of its `t`, or of those of its runs `r`. How a text is pronounced
 * (`rPh`) is no part of it.
 */
export function richText(item: string, found: (text: string) => void): XmlListener {
  let text = "";
  let isText = false;
  let isPhonetic = false;
  return {
    open: (name) => {
      if (name === item) text = "";
      else if (name === "rPh") isPhonetic = true;
      else if (name === "t") isText = !isPhonetic;
    },
    close: (name) => {
      if (name === "t") isText = false;
      else if (name === "rPh") isPhonetic = false;
      else if (name === item) found(unescaped(text));
    },
    text: (piece) => {
      if (isText) text += piece;
    },
  };
}

/** `_x000D_` stands for the character of that number, as XML has no way to write it; `_x005F_` keeps such a text as it is. */
export function unescaped(text: string): string {
  if (!text.includes("_x")) return text;
  return text.replaceAll(/_x([0-9A-Fa-f]{4})_/g, (escape, hex: string) => {
    const code = Number.parseInt(hex, 16);
    return code === 0 ? escape : String.fromCharCode(code);
  });
}
