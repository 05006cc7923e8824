import { createWriteStream } from "node:fs";
import { once } from "node:events";
import { crc32, deflateRawSync } from "node:zlib";

/** A part of a ZIP file being written: its text in pieces. */
export interface Part {
  readonly name: string;
  readonly text: Iterable<string>;
}

/** Writes a ZIP file piece by piece, each part a deflate stream of one block a piece: memory stays flat. */
export async function writeZip(path: string, parts: readonly Part[], flags = 0): Promise<void> {
  const out = createWriteStream(path);
  let at = 0;
  const write = async (bytes: Uint8Array): Promise<void> => {
    at += bytes.length;
    if (!out.write(bytes)) await once(out, "drain");
  };
  const directory: Buffer[] = [];
  for (const { name, text } of parts) {
    const start = at;
    await write(localHeader(name, flags));
    const { crc, size, packed } = await writePacked(text, write);
    directory.push(centralHeader(name, { crc, size, packed, start, flags }));
  }
  const start = at;
  for (const header of directory) await write(header);
  await write(endOf(directory.length, at - start, start));
  out.end();
  await once(out, "close");
}

async function writePacked(
  text: Iterable<string>,
  write: (bytes: Uint8Array) => Promise<void>,
): Promise<{ readonly crc: number; readonly size: number; readonly packed: number }> {
  let [crc, size, packed] = [0, 0, 0];
  for (const piece of text) {
    const bytes = Buffer.from(piece);
    crc = crc32(bytes, crc);
    size += bytes.length;
    // Z_SYNC_FLUSH: the block is not the last one and ends at a byte.
    const block = deflateRawSync(bytes, { finishFlush: 2 });
    packed += block.length;
    await write(block);
  }
  const last = Buffer.from([3, 0]);
  await write(last);
  return { crc, size, packed: packed + last.length };
}

const streamed = 8;

function localHeader(name: string, flags: number): Buffer {
  const header = Buffer.alloc(30);
  header.writeUInt32LE(0x04034b50, 0);
  header.writeUInt16LE(20, 4);
  header.writeUInt16LE(streamed | flags, 6);
  header.writeUInt16LE(8, 8);
  header.writeUInt16LE(Buffer.byteLength(name), 26);
  return Buffer.concat([header, Buffer.from(name)]);
}

function centralHeader(
  name: string,
  { crc, size, packed, start, flags }: Readonly<Record<"crc" | "size" | "packed" | "start" | "flags", number>>,
): Buffer {
  const header = Buffer.alloc(46);
  header.writeUInt32LE(0x02014b50, 0);
  header.writeUInt16LE(20, 6);
  header.writeUInt16LE(streamed | flags, 8);
  header.writeUInt16LE(8, 10);
  header.writeUInt32LE(crc, 16);
  header.writeUInt32LE(packed, 20);
  header.writeUInt32LE(size, 24);
  header.writeUInt16LE(Buffer.byteLength(name), 28);
  header.writeUInt32LE(start, 42);
  return Buffer.concat([header, Buffer.from(name)]);
}

function endOf(entries: number, bytes: number, start: number): Buffer {
  const end = Buffer.alloc(22);
  end.writeUInt32LE(0x06054b50, 0);
  end.writeUInt16LE(entries, 8);
  end.writeUInt16LE(entries, 10);
  end.writeUInt32LE(bytes, 12);
  end.writeUInt32LE(start, 16);
  return end;
}

export interface TestSheet {
  readonly name: string;
  /** XML of its rows, in pieces. */
  readonly rows: Iterable<string>;
  readonly state?: string;
}

export interface TestBook {
  readonly sheets: readonly TestSheet[];
  /** Format codes of styles 1, 2, …; a number is that of a format all programs know. */
  readonly formats?: readonly (string | number)[];
  readonly is1904?: boolean;
  /** XML of the items of the shared texts, in pieces. */
  readonly texts?: Iterable<string>;
  /** Prefix of all names of the sheets, as other programs than Excel write them. */
  readonly prefix?: string;
}

const main = "http://schemas.openxmlformats.org/spreadsheetml/2006/main";
const relations = "http://schemas.openxmlformats.org/officeDocument/2006/relationships";
const head = '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\n';

/** Writes a workbook. */
export async function writeBook(path: string, book: TestBook): Promise<void> {
  await writeZip(path, partsOf(book));
}

export function partsOf({ sheets, formats = [], is1904 = false, texts = [], prefix = "" }: TestBook): Part[] {
  const listed = sheets.map(
    ({ name, state }, n) =>
      `<sheet name="${name}" sheetId="${n + 1}"${state === undefined ? "" : ` state="${state}"`} r:id="s${n}"/>`,
  );
  const targets = sheets.map((_, n) => relation(`s${n}`, "worksheet", `worksheets/sheet${n + 1}.xml`));
  return [
    { name: "[Content_Types].xml", text: [`${head}<Types/>`] },
    { name: "_rels/.rels", text: [related([relation("r1", "officeDocument", "xl/workbook.xml")])] },
    {
      name: "xl/workbook.xml",
      text: [
        `${head}<workbook xmlns="${main}" xmlns:r="${relations}"><workbookPr${is1904 ? ' date1904="1"' : ""}/><sheets>${listed.join("")}</sheets></workbook>`,
      ],
    },
    {
      name: "xl/_rels/workbook.xml.rels",
      text: [
        related([
          ...targets,
          relation("st", "styles", "/xl/styles.xml"),
          relation("ss", "sharedStrings", "sharedStrings.xml"),
        ]),
      ],
    },
    { name: "xl/styles.xml", text: [stylesXml(formats)] },
    { name: "xl/sharedStrings.xml", text: wrapped(texts, `${head}<sst xmlns="${main}">`, "</sst>") },
    ...sheets.map(({ rows }, n) => ({
      name: `xl/worksheets/sheet${n + 1}.xml`,
      text: wrapped(
        rows,
        `${head}<${prefix}worksheet><${prefix}sheetData>`,
        `</${prefix}sheetData></${prefix}worksheet>`,
      ),
    })),
  ];
}

function* wrapped(pieces: Iterable<string>, before: string, after: string): Iterable<string> {
  yield before;
  yield* pieces;
  yield after;
}

const relation = (id: string, type: string, target: string): string =>
  `<Relationship Id="${id}" Type="${relations}/${type}" Target="${target}"/>`;

const related = (all: readonly string[]): string => `${head}<Relationships>${all.join("")}</Relationships>`;

function stylesXml(formats: readonly (string | number)[]): string {
  const custom = formats.flatMap((format, n) =>
    typeof format === "string" ? [`<numFmt numFmtId="${200 + n}" formatCode="${xml(format)}"/>`] : [],
  );
  const styles = formats.map((format, n) => `<xf numFmtId="${typeof format === "string" ? 200 + n : format}"/>`);
  return `${head}<styleSheet><numFmts>${custom.join("")}</numFmts><cellStyleXfs><xf numFmtId="14"/></cellStyleXfs><cellXfs><xf numFmtId="0"/>${styles.join("")}</cellXfs></styleSheet>`;
}

export const xml = (text: string): string =>
  text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll('"', "&quot;");

/** A cell of each kind, by its reference. */
export const cell = {
  number: (at: string, value: number | string, style = 0): string => `<c r="${at}" s="${style}"><v>${value}</v></c>`,
  shared: (at: string, index: number): string => `<c r="${at}" t="s"><v>${index}</v></c>`,
  inline: (at: string, text: string): string =>
    `<c r="${at}" t="inlineStr"><is><t xml:space="preserve">${xml(text)}</t></is></c>`,
  truth: (at: string, value: boolean): string => `<c r="${at}" t="b"><v>${value ? 1 : 0}</v></c>`,
  error: (at: string, text: string): string => `<c r="${at}" t="e"><v>${text}</v></c>`,
  formula: (at: string, formula: string, value?: string | number): string =>
    `<c r="${at}"${typeof value === "string" ? ' t="str"' : ""}><f>${xml(formula)}</f>${value === undefined ? "" : `<v>${value}</v>`}</c>`,
} as const;

export const row = (number: number, ...cells: readonly string[]): string =>
  `<row r="${number}">${cells.join("")}</row>`;
