import { MillraceError } from "../../core/error.ts";
import { limit } from "../../core/limit.ts";
import { nearestName } from "../nearest.ts";
import { dateKind, type DateKind } from "./number-format.ts";
import { readWholePart } from "./parts.ts";
import { attributeOf, type XmlListener } from "./xml.ts";
import { damaged, openZip, type ReadRange, type Zip, type ZipEntry } from "./zip.ts";

export interface Sheet {
  readonly name: string;
  readonly entry: ZipEntry;
  readonly isHidden: boolean;
}

/** What the parts of a workbook say besides its sheets' cells. */
export interface Workbook {
  readonly zip: Zip;
  readonly source: string;
  readonly sheets: readonly Sheet[];
  /** Days are counted from 1904-01-01, as old programs for the Macintosh did, and not from 1899-12-30. */
  readonly is1904: boolean;
  /** The kind of date of each style; undefined for other numbers. */
  readonly dateKinds: readonly (DateKind | undefined)[];
  /** The part that texts which cells share lie in. */
  readonly texts: ZipEntry | undefined;
}

export async function openWorkbook(read: ReadRange, sizeBytes: number, source: string): Promise<Workbook> {
  const zip = await openZip(read, sizeBytes, source);
  const main = (await relationsOf(zip, "", source)).find(({ type }) => type === "officeDocument");
  const entry = zip.entries.get((main?.target ?? "xl/workbook.xml").toLowerCase());
  if (entry === undefined || entry.name.endsWith(".bin")) {
    throw damaged(source, "it is another kind of ZIP file than an XLSX workbook");
  }
  const relations = await relationsOf(zip, entry.name, source);
  const part = (type: string): ZipEntry | undefined => {
    const target = relations.find((relation) => relation.type === type)?.target;
    return target === undefined ? undefined : zip.entries.get(target.toLowerCase());
  };
  const { sheets: named, is1904 } = await readBook(zip, entry, source);
  const sheets = named.flatMap(({ name, id, isHidden }): Sheet[] => {
    const relation = relations.find((one) => one.id === id && one.type === "worksheet");
    const found = relation === undefined ? undefined : zip.entries.get(relation.target.toLowerCase());
    return found === undefined ? [] : [{ name, entry: found, isHidden }];
  });
  const styles = part("styles");
  const dateKinds = styles === undefined ? [] : await readStyles(zip, styles, source);
  return { zip, source, sheets, is1904, dateKinds, texts: part("sharedStrings") };
}

/** The sheet of that name, in any case; the first visible one when none is named. Throws SHEET_UNKNOWN. */
export function chooseSheet({ sheets, source }: Workbook, wanted: string | undefined): Sheet {
  const found =
    wanted === undefined
      ? (sheets.find(({ isHidden }) => !isHidden) ?? sheets[0])
      : (sheets.find(({ name }) => name === wanted) ??
        sheets.find(({ name }) => name.toLowerCase() === wanted.toLowerCase()));
  if (found !== undefined) return found;
  const names = sheets.map(({ name }) => name);
  const nearest = wanted === undefined ? undefined : nearestName(wanted, names);
  const there = names.length === 0 ? "It has no sheet of cells." : `Its sheets are ${listOf(names)}.`;
  throw new MillraceError(
    "SHEET_UNKNOWN",
    wanted === undefined ? `${source} has no sheet` : `${source} has no sheet ${JSON.stringify(wanted)}`,
    { remedy: nearest === undefined ? there : `Did you mean ${JSON.stringify(nearest)}? ${there}`, at: { source } },
  );
}

/** What people should know about the choice of a sheet that they did not name. */
export function sheetNotice(
  { sheets, source }: Workbook,
  { name }: Sheet,
  wanted: string | undefined,
): string | undefined {
  const others = sheets.filter((sheet) => sheet.name !== name && !sheet.isHidden).map((sheet) => sheet.name);
  if (wanted !== undefined || others.length === 0) return undefined;
  return `Of ${source} the sheet ${JSON.stringify(name)} is read; --sheet names another: ${listOf(others)}`;
}

const listOf = (names: readonly string[]): string => {
  const shown = names.slice(0, 20).map((name) => JSON.stringify(name.slice(0, limit.identifierChars)));
  return names.length > 20 ? `${shown.join(", ")} and ${names.length - 20} more` : shown.join(", ");
};

interface Relation {
  readonly id: string;
  /** The last word of its type's URL. */
  readonly type: string;
  /** Path within the file. */
  readonly target: string;
}

async function relationsOf(zip: Zip, part: string, source: string): Promise<Relation[]> {
  const folder = part.slice(0, part.lastIndexOf("/") + 1);
  const entry = zip.entries.get(`${folder}_rels/${part.slice(folder.length)}.rels`.toLowerCase());
  if (entry === undefined) return [];
  const relations: Relation[] = [];
  await readWholePart(
    zip,
    entry,
    opening((name, attributes) => {
      const target = attributeOf(attributes, "Target");
      if (name !== "Relationship" || target === undefined || relations.length > limit.sheets) return;
      const type = attributeOf(attributes, "Type") ?? "";
      relations.push({
        id: attributeOf(attributes, "Id") ?? "",
        type: type.slice(type.lastIndexOf("/") + 1),
        target: pathOf(folder, target),
      });
    }),
    source,
  );
  return relations;
}

/** Targets are relative to their part's folder, or start with `/`. */
function pathOf(folder: string, target: string): string {
  const parts: string[] = [];
  for (const part of (target.startsWith("/") ? target : folder + target).split("/")) {
    if (part === "..") parts.pop();
    else if (part !== "." && part !== "") parts.push(part);
  }
  return parts.join("/");
}

interface NamedSheet {
  readonly name: string;
  readonly id: string;
  readonly isHidden: boolean;
}

async function readBook(
  zip: Zip,
  entry: ZipEntry,
  source: string,
): Promise<{ readonly sheets: readonly NamedSheet[]; readonly is1904: boolean }> {
  const sheets: NamedSheet[] = [];
  let is1904 = false;
  await readWholePart(
    zip,
    entry,
    opening((name, attributes) => {
      if (name === "workbookPr") is1904 = /^(1|true)$/.test(attributeOf(attributes, "date1904") ?? "");
      if (name !== "sheet" || sheets.length >= limit.sheets) return;
      sheets.push({
        name: attributeOf(attributes, "name") ?? "",
        id: attributeOf(attributes, "id") ?? "",
        isHidden: (attributeOf(attributes, "state") ?? "visible") !== "visible",
      });
    }),
    source,
  );
  return { sheets, is1904 };
}

/** The kind of date that each style of a cell shows. */
async function readStyles(zip: Zip, entry: ZipEntry, source: string): Promise<(DateKind | undefined)[]> {
  const formats = new Map<number, string>();
  const kinds: (DateKind | undefined)[] = [];
  let isOfCells = false;
  await readWholePart(
    zip,
    entry,
    {
      open: (name, attributes) => {
        if (name === "cellXfs") isOfCells = true;
        if (name === "numFmt") {
          formats.set(Number(attributeOf(attributes, "numFmtId")), attributeOf(attributes, "formatCode") ?? "");
        }
        if (name !== "xf" || !isOfCells) return;
        const id = Number(attributeOf(attributes, "numFmtId") ?? 0);
        kinds.push(dateKind(id, formats.get(id)));
      },
      close: (name) => {
        if (name === "cellXfs") isOfCells = false;
      },
      text: () => undefined,
    },
    source,
  );
  return kinds;
}

const opening = (open: XmlListener["open"]): XmlListener => ({ open, close: () => undefined, text: () => undefined });
