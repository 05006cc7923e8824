import { damaged, type Zip, type ZipEntry } from "./zip.ts";
import { XmlFault, type XmlListener, XmlReader } from "./xml.ts";

/** A part of a workbook as XML, read piece by piece; after each piece what the listener gathered can be taken. */
export async function* readPart(
  zip: Zip,
  entry: ZipEntry,
  listener: XmlListener,
  source: string,
  fed?: (bytes: number) => void,
): AsyncGenerator<void, void> {
  const decoder = new TextDecoder("utf-8", { fatal: true });
  const reader = new XmlReader(listener);
  try {
    for await (const bytes of zip.content(entry, fed)) {
      reader.push(decoder.decode(bytes, { stream: true }));
      yield;
    }
    reader.push(decoder.decode());
    reader.end();
    yield;
  } catch (error) {
    if (error instanceof XmlFault) throw damaged(source, `${entry.name} is no XML that can be read: ${error.message}`);
    if (error instanceof TypeError && "code" in error && error.code === "ERR_ENCODING_INVALID_ENCODED_DATA") {
      throw damaged(source, `${entry.name} is not in UTF-8`);
    }
    throw error;
  }
}

/** Reads a part to its end. */
export async function readWholePart(zip: Zip, entry: ZipEntry, listener: XmlListener, source: string): Promise<void> {
  for await (const _ of readPart(zip, entry, listener, source));
}
