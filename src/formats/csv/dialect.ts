/** How a delimited text is written. */
export interface Dialect {
  /** Byte between two fields. */
  readonly delimiter: number;
  /** Byte around a field that holds delimiters or line ends; -1 when the text knows no quotes. */
  readonly quote: number;
}

export const byteOf = { nul: 0, tab: 9, lf: 10, cr: 13, quote: 34, comma: 44, semicolon: 59, pipe: 124 } as const;

/** The quote of the text handed on: a text that knows no quotes gets `"` around fields that need them. */
export const quoteMark = ({ quote }: Dialect): number => (quote < 0 ? byteOf.quote : quote);
