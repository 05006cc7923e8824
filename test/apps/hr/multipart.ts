/** One field or file of a form, byte for byte as a client writes it. */
export interface Part {
  readonly name: string;
  readonly value: string | Uint8Array;
  /** Absent for a plain field. */
  readonly filename?: string;
  /** The part's own content type; it has no such line when absent. */
  readonly type?: string | undefined;
}

export interface Form {
  /** The content type of the whole. */
  readonly type: string;
  readonly bytes: Buffer<ArrayBuffer>;
}

export const boundary = "----millrace7MA4YWxkTrZu0gW";

export function multipart(parts: readonly Part[]): Form {
  const pieces = parts.flatMap((part) => [headOf(part), Buffer.from(part.value), Buffer.from("\r\n")]);
  return {
    type: `multipart/form-data; boundary=${boundary}`,
    bytes: Buffer.concat([...pieces, Buffer.from(`--${boundary}--\r\n`)]),
  };
}

function headOf({ name, filename, type }: Part): Buffer {
  const file = filename === undefined ? "" : `; filename="${filename.replaceAll('"', "%22")}"`;
  const kind = type === undefined ? "" : `Content-Type: ${type}\r\n`;
  return Buffer.from(`--${boundary}\r\nContent-Disposition: form-data; name="${name}"${file}\r\n${kind}\r\n`);
}
