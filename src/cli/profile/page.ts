import type { RowValue } from "../../core/json-value.ts";
import type { ProfileResult } from "../../runtime/profile.ts";
import type { ColumnChart } from "../../transforms/profile/chart.ts";
import {
  type ColumnProfile,
  constantColumns,
  duplicatedColumns,
  missingColumns,
} from "../../transforms/profile/profile.ts";
import { bytesText, countOf, countText, percentText } from "../figures.ts";
import { clip, valueText } from "../shown.ts";
import { distinctText } from "./distinct-text.ts";
import { pageStyle } from "./page-style.ts";

const valueChars = 60;

/** A profile as one HTML file that loads nothing: what is from the data is escaped, and no script runs. */
export function profilePage(found: ProfileResult, name: string): string {
  const columns = found.columns.map((column, index) => columnCard(column, found.charts[index], found.rows));
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<title>${escaped(name)} – profile</title>
<style>${pageStyle}</style>
</head>
<body>
<main>
<h1>${escaped(name)}</h1>
<p>${leadText(found)}</p>
${figures(found)}
${notes(found)}
<h2>Missing values</h2>
${missingPanel(found)}
<h2>Columns</h2>
<section class="columns">
${columns.join("\n")}
</section>
<footer>Every record was looked at. Numbers marked ≈ are estimates, right to a few percent. Made by Millrace.</footer>
</main>
</body>
</html>
`;
}

function leadText({ files, source, malformed }: ProfileResult): string {
  const more = files > 1 ? ` and ${countOf(files - 1, "more file")}` : "";
  const bad = malformed === 0 ? "" : `; ${countOf(malformed, "record")} could not be read`;
  return `${escaped(source)}${more}${bad}`;
}

function figures({ rows, columns }: ProfileResult): string {
  const sum = (field: "sizeBytes" | "narrowBytes" | "missing"): number =>
    columns.reduce((total, column) => total + column[field], 0);
  const [read, narrow] = [sum("sizeBytes"), sum("narrowBytes")];
  const shown: readonly (readonly [string, string])[] = [
    ["Rows", countText(rows)],
    ["Columns", countText(columns.length)],
    ["Missing values", percentText(sum("missing"), rows * columns.length)],
    ["As read", bytesText(read)],
    ["In narrowest types", bytesText(narrow)],
  ];
  const cells = shown.map(([label, value]) => `<div><dt>${label}</dt><dd>${escaped(value)}</dd></div>`);
  return `<dl class="figures">${cells.join("")}</dl>`;
}

function notes(found: ProfileResult): string {
  const constant = constantColumns(found).map(({ name, constant: value }) => {
    return `<b>${escaped(name)}</b> is <code>${shownValue(value ?? null)}</code> in every row`;
  });
  const duplicated = [...duplicatedColumns(found)].map(([name, twins]) => {
    return `<b>${twins.map(escaped).join("</b>, <b>")}</b> ${twins.length === 1 ? "equals" : "equal"} <b>${escaped(name)}</b> in every row`;
  });
  const all = [...constant, ...duplicated];
  if (all.length === 0) return "";
  return `<h2>To know</h2>\n<ul class="notes">${all.map((note) => `<li>${note}</li>`).join("")}</ul>`;
}

function missingPanel(found: ProfileResult): string {
  const missing = missingColumns(found);
  if (missing.length === 0) return `<div class="panel"><p>None: every column has a value in every row.</p></div>`;
  const lines = missing.map(({ name, missing: count }) => {
    const share = `${countText(count)} · ${percentText(count, found.rows)}`;
    return `<span class="name" title="${escaped(name)}">${escaped(name)}</span>${barSvg(count / found.rows, "gap")}<span class="count">${escaped(share)}</span>`;
  });
  return `<div class="panel missing">${lines.join("")}</div>`;
}

function columnCard(column: ColumnProfile, chart: ColumnChart | undefined, rows: number): string {
  const { name, type, narrowest, sizeBytes, narrowBytes, missing, min, max, constant, duplicateOf } = column;
  const saves = sizeBytes - narrowBytes;
  const facts: readonly (readonly [string, string])[] = [
    ["missing", `${countText(missing)} (${percentText(missing, rows)})`],
    ["different", distinctText(column)],
    ...(min === null ? [] : ([["least", plainValue(min)] as const, ["greatest", plainValue(max)] as const] as const)),
    ["narrowest", `${narrowest.toLowerCase()}${saves > 0 ? `, saves ${bytesText(saves)}` : ""}`],
    ["examples", column.examples.map(plainValue).join(", ")],
  ];
  const tags = [
    ...(constant === undefined ? [] : [`<span class="tag">constant</span>`]),
    ...(duplicateOf === undefined ? [] : [`<span class="tag">same as ${escaped(duplicateOf)}</span>`]),
  ];
  const list = facts
    .filter(([, value]) => value !== "")
    .map(([label, value]) => `<dt>${label}</dt><dd>${escaped(value)}</dd>`);
  return `<article class="column"><header><h3>${escaped(name)}</h3><span class="type">${escaped(type)} ${tags.join(" ")}</span></header>${chartHtml(chart, rows)}<dl>${list.join("")}</dl></article>`;
}

function chartHtml(chart: ColumnChart | undefined, rows: number): string {
  if (chart?.kind === "bins") return binsSvg(chart.counts);
  if (chart?.kind !== "values") return "";
  const lines = chart.values.map(({ value, count }) => {
    const text = shownValue(value);
    return `<span class="name" title="${text}">${text}</span>${barSvg(count / rows, "bar")}<span class="count">${countText(count)}</span>`;
  });
  return `<div class="values">${lines.join("")}</div>`;
}

function barSvg(share: number, kind: "bar" | "gap"): string {
  const width = Math.max(share > 0 ? 0.4 : 0, share * 100).toFixed(2);
  return `<svg viewBox="0 0 100 10" preserveAspectRatio="none" aria-hidden="true"><rect class="track" width="100" height="10" rx="1"/><rect class="${kind}" width="${width}" height="10" rx="1"/></svg>`;
}

function binsSvg(counts: readonly number[]): string {
  const most = Math.max(1, ...counts);
  const bars = counts.map((count, bin) => {
    const height = count === 0 ? 0 : Math.max(1, (count / most) * 55);
    return `<rect class="bar" x="${bin * 10 + 0.75}" y="${(56 - height).toFixed(1)}" width="8.5" height="${height.toFixed(1)}"><title>${countText(count)}</title></rect>`;
  });
  return `<svg viewBox="0 0 ${counts.length * 10} 56" preserveAspectRatio="none" role="img" aria-label="how the values are spread">${bars.join("")}<rect class="track" y="55.4" width="${counts.length * 10}" height="0.6"/></svg>`;
}

const plainValue = (value: RowValue): string => clip(valueText(value), valueChars);
const shownValue = (value: RowValue): string => escaped(plainValue(value));

const entities: Readonly<Record<string, string>> = {
  "&": "&amp;",
  "<": "&lt;",
  ">": "&gt;",
  '"': "&quot;",
  "'": "&#39;",
};

/** Text from data as text of the page. */
const escaped = (text: string): string => text.replace(/[&<>"']/g, (char) => entities[char] ?? char);
