import type { Message, Picture } from "../../src/index.ts";
import { missingChart } from "./chart.ts";
import type { LoadOutcome } from "./replicating.ts";

type Loaded = Exclude<LoadOutcome, { readonly error: unknown }>;

const done = "[TECH REPORT] REDIS DB New table has been successfully uploaded";
const failed = "[TECH REPORT] REDIS DB New table could not be uploaded";

/** The report of one run. */
export function reportOf(outcomes: readonly LoadOutcome[], to: string | undefined): Message {
  const isFailed = outcomes.some((one) => "error" in one);
  const sections = outcomes.map((one, index) =>
    "error" in one ? failure(one) : success(one, `missing${index}@millrace`),
  );
  return {
    to: to === undefined ? [] : [to],
    subject: isFailed ? failed : done,
    text: sections
      .map(({ title, lines }) => [title, "", ...lines.map(([name, value]) => `${name}: ${value}`), ""].join("\n"))
      .join("\n"),
    html: `<!doctype html><html><body style="font-family:sans-serif">${sections.map(htmlOf).join("")}</body></html>`,
    pictures: sections.flatMap(({ picture }) => (picture === undefined ? [] : [picture])),
    data: { status: isFailed ? "failed" : "success", replicas: outcomes.map(dataOf) },
  };
}

/** The report of a run that did not come to any ticket. */
export function failureReport(error: unknown, to: string | undefined): Message {
  const { message, remedy, code } = error as { message?: string; remedy?: string; code?: string };
  const lines = [
    ["What", message ?? "unknown"],
    ["Code", code ?? "INTERNAL"],
    ["What to do", remedy ?? ""],
  ] as const;
  return {
    to: to === undefined ? [] : [to],
    subject: failed,
    text: ["The run failed", "", ...lines.map(([name, value]) => `${name}: ${value}`), ""].join("\n"),
    html: `<!doctype html><html><body style="font-family:sans-serif">${htmlOf({ title: "The run failed", lines })}</body></html>`,
    pictures: [],
    data: { status: "failed", code: code ?? "INTERNAL", replicas: [] },
  };
}

interface Section {
  readonly title: string;
  readonly lines: readonly (readonly [name: string, value: string])[];
  readonly picture?: Picture;
}

function failure({ replica, ticket, error }: Extract<LoadOutcome, { readonly error: unknown }>): Section {
  const lines = [
    ["File", ticket.fileName],
    ["What", error.message],
    ["Code", error.code],
    ["What to do", error.remedy],
  ] as const;
  return { title: `${replica} was not uploaded`, lines };
}

function success({ replica, meta, loaded, changes, ms }: Loaded, id: string): Section {
  const field = (name: string): string => meta.get(name) ?? "";
  const names = JSON.parse(meta.get("MISSING_DATA_COL_NAMES") ?? "[]") as string[];
  const counts = JSON.parse(meta.get("MISSING_DATA_COUNT") ?? "[]") as number[];
  const [rows = 0] = JSON.parse(meta.get("DF_SHAPE") ?? "[0]") as number[];
  const chart = missingChart(counts.map((count) => count / Math.max(1, rows)));
  const missing = names.map((name, index) => `${name} (${counts[index]})`);
  const lines = [
    ["File", field("FROMFPATH")],
    ["Size", field("FILESIZE")],
    ["Shape", field("DF_SHAPE")],
    ["Rows in the cache", String(loaded.rows)],
    ["Key", loaded.key ?? "the row's number, as MD5"],
    ["Columns of one value", list(JSON.parse(field("ZERO_STD_COLS") || "[]") as string[])],
    ["Columns that are double", field("DUPLICATED_COLS") === "{}" ? "none" : field("DUPLICATED_COLS")],
    ["Missing values", list(missing)],
    ["Rejected records", String(loaded.rejected)],
    ["Rows replaced by a later one of their key", String(loaded.replaced)],
    ...changes.map((change) => ["Changed", change] as const),
    ["Load time", `${(ms / 1_000).toFixed(1)} s, ${field("LOAD_DTTM")} UTC`],
  ] as const;
  const picture: Picture | undefined =
    chart === undefined ? undefined : { id, name: `${replica}-missing.png`, type: "image/png", bytes: chart };
  return { title: `${replica} has been uploaded`, lines, ...(picture === undefined ? {} : { picture }) };
}

function list(names: readonly string[]): string {
  return names.length === 0 ? "none" : names.join(", ");
}

function htmlOf({ title, lines, picture }: Section): string {
  const rows = lines.map(
    ([name, value]) => `<tr><th align="left">${escaped(name)}</th><td>${escaped(value)}</td></tr>`,
  );
  const shown =
    picture === undefined
      ? ""
      : `<p>Missing values by column, in the order above:</p><img src="cid:${picture.id}" alt="Missing values by column">`;
  return `<h2>${escaped(title)}</h2><table cellpadding="4">${rows.join("")}</table>${shown}`;
}

function escaped(text: string): string {
  const marks: Readonly<Record<string, string>> = { "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;" };
  return text.replaceAll(/[&<>"]/g, (mark) => marks[mark] ?? mark);
}

function dataOf(one: LoadOutcome): { readonly [name: string]: string | number } {
  const about = { replica: one.replica, file: one.ticket.fileName };
  if ("error" in one) return { ...about, status: "failed", code: one.error.code, error: one.error.message };
  const { loaded, ms, meta } = one;
  return {
    ...about,
    status: "loaded",
    rows: loaded.rows,
    rejected: loaded.rejected,
    shape: meta.get("DF_SHAPE") ?? "",
    ms,
  };
}
