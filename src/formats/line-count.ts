const lf = 10;
const cr = 13;
const byteOrderMark = [0xef, 0xbb, 0xbf];

/** Counts the lines of a text that are not empty, as its bytes come. Lines end in LF or CR LF; the last one in either or nothing. */
export class LineCount {
  #lines = 0;
  #isBlank = true;
  #seen = 0;

  get lines(): number {
    return this.#isBlank ? this.#lines : this.#lines + 1;
  }

  look(bytes: Uint8Array): void {
    let start = 0;
    while (this.#seen < byteOrderMark.length && start < bytes.length && bytes[start] === byteOrderMark[this.#seen]) {
      this.#seen += 1;
      start += 1;
    }
    // Anything else in front ends the look for a byte order mark.
    if (start < bytes.length) this.#seen = byteOrderMark.length;
    for (let end = bytes.indexOf(lf, start); end >= 0; end = bytes.indexOf(lf, start)) {
      if (!this.#isBlank || hasText(bytes, start, end)) this.#lines += 1;
      this.#isBlank = true;
      start = end + 1;
    }
    if (hasText(bytes, start, bytes.length)) this.#isBlank = false;
  }
}

function hasText(bytes: Uint8Array, start: number, end: number): boolean {
  for (let at = start; at < end; at += 1) if (bytes[at] !== cr) return true;
  return false;
}
