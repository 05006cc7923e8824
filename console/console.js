// The console: plain modules of the browser, no build. What comes from the server is set as text, never as HTML.

const byId = (id) => document.getElementById(id);

function element(name, text, className) {
  const node = document.createElement(name);
  if (text !== undefined) node.textContent = text;
  if (className !== undefined) node.className = className;
  return node;
}

async function ask(path, options) {
  // Without credentials of its own, or a browser asks for them in a window of its own.
  const response = await fetch(path, { headers: { accept: "application/json" }, credentials: "omit", ...options });
  const body = await response.json().catch(() => ({ error: `HTTP ${response.status}` }));
  return { ok: response.ok, status: response.status, body };
}

/** One sentence out of any error the server answers with. */
function sentenceOf({ error, remedy, detail }) {
  if (error !== undefined) return remedy === undefined ? error : `${error}. ${remedy}`;
  if (Array.isArray(detail)) return detail.map(({ loc, msg }) => `${loc.at(-1)}: ${msg}`).join("; ");
  return detail ?? "The server said no";
}

function tell(node, text, isGood) {
  node.textContent = text;
  node.className = isGood ? "good" : "bad";
}

function tableOf(records, columns = Object.keys(records[0] ?? {})) {
  if (records.length === 0) return element("p", "No records.", "quiet");
  const table = element("table");
  const isNumber = new Set(columns.filter((name) => records.every((record) => typeof record[name] === "number")));
  const head = table.createTHead().insertRow();
  for (const name of columns) head.append(element("th", name, isNumber.has(name) ? "number" : undefined));
  const body = table.createTBody();
  for (const record of records) {
    const row = body.insertRow();
    for (const name of columns) {
      const value = record[name];
      const shown = value instanceof Node ? value : document.createTextNode(value === null ? "" : String(value ?? ""));
      const cell = row.insertCell();
      cell.append(shown);
      if (isNumber.has(name)) cell.className = "number";
    }
  }
  return table;
}

const barsMax = 15;

/** The first texts against the sum of the numbers that are no ids, for the first records. */
function chartOf(records) {
  const [first] = records;
  if (first === undefined) return [];
  const names = Object.keys(first);
  const numbers = names.filter((name) => typeof first[name] === "number" && !/^id$|_id$/.test(name));
  const texts = names.filter((name) => typeof first[name] === "string");
  if (numbers.length === 0) return [];
  const bars = records.slice(0, barsMax).map((record) => ({
    label: texts.map((name) => record[name]).join(" · "),
    value: numbers.reduce((sum, name) => sum + record[name], 0),
  }));
  const most = Math.max(...bars.map(({ value }) => value), 1);
  return bars.flatMap(({ label, value }) => {
    const bar = element("i");
    bar.style.width = `${(value / most) * 100}%`;
    return [element("span", label), bar, element("span", String(value))];
  });
}

const insights = new Map();

async function findInsights() {
  const { body } = await ask("/openapi.json");
  for (const [path, { get }] of Object.entries(body.paths)) {
    const name = /^\/insights\/([^{]+)$/.exec(path)?.[1];
    if (name !== undefined && get !== undefined) insights.set(name.replace(/\/$/, ""), get);
  }
  const select = byId("insight-name");
  for (const name of insights.keys()) select.append(element("option", name));
  chooseInsight();
}

function chooseInsight() {
  const route = insights.get(byId("insight-name").value);
  byId("insight-about").textContent = route?.summary ?? "There is no insight yet.";
  const parameters = (route?.parameters ?? []).filter(({ name }) => name !== "limit");
  byId("insight-parameters").replaceChildren(
    ...parameters.map(({ name, schema }) => {
      const label = element("label", name);
      const input = element("input");
      input.name = name;
      input.type = schema?.type === "integer" || schema?.type === "number" ? "number" : "text";
      input.value = schema?.default ?? "";
      label.append(input);
      return label;
    }),
  );
  return showInsight();
}

async function showInsight() {
  const name = byId("insight-name").value;
  if (name === "") return;
  const query = new URLSearchParams({ limit: byId("insight-limit").value });
  for (const input of byId("insight-parameters").querySelectorAll("input")) query.set(input.name, input.value);
  const { ok, body } = await ask(`/insights/${encodeURIComponent(name)}?${query}`);
  byId("insight-chart").replaceChildren(...(ok ? chartOf(body) : []));
  byId("insight-table").replaceChildren(ok ? tableOf(body) : element("p", sentenceOf(body), "bad"));
}

function credentials() {
  const text = `${byId("username").value}:${byId("password").value}`;
  const bytes = Array.from(new TextEncoder().encode(text), (byte) => String.fromCodePoint(byte)).join("");
  return { accept: "application/json", authorization: `Basic ${btoa(bytes)}` };
}

async function upload(event) {
  event.preventDefault();
  const form = new FormData();
  form.append("file", byId("upload-file").files[0]);
  const { ok, body } = await ask("/upload", { method: "POST", body: form, headers: credentials() });
  if (!ok) {
    byId("upload-errors").replaceChildren();
    return tell(byId("upload-result"), sentenceOf(body), false);
  }
  const { rows, nrows_inserted: inserted, nrows_merged: merged = 0, nrows_failed: failed = 0, errors = [] } = body;
  tell(
    byId("upload-result"),
    `${rows} records: ${inserted} inserted, ${merged} merged, ${failed} failed.`,
    failed === 0,
  );
  byId("upload-errors").replaceChildren(
    ...(errors.length === 0 ? [] : [tableOf(errors, ["line", "column", "value", "reason"])]),
  );
  await showInsight();
}

async function listBackups() {
  const { ok, body } = await ask("/backups", { headers: credentials() });
  const said = byId("backups-result");
  if (!ok) return tell(said, `${sentenceOf(body)} (user and password stand above)`, false);
  said.textContent = "";
  const shown = body.map(({ table, version, rows, createdAt, state }) => ({ table, version, rows, createdAt, state }));
  byId("backups-table").replaceChildren(tableOf(shown));
}

async function showState() {
  const pill = byId("state");
  try {
    const { ok, body } = await ask("/readyz");
    pill.textContent = body.status;
    pill.className = `pill ${ok ? "good" : "bad"}`;
    byId("pipelines-table").replaceChildren(tableOf(body.pipelines ?? []));
  } catch {
    // The server is away: that is what the pill is for.
    pill.textContent = "not reached";
    pill.className = "pill bad";
  }
}

/** Runs a handler with its button disabled, and says what went wrong. */
function guarded(said, handler) {
  return async (event) => {
    const button = event.submitter ?? event.currentTarget;
    button.disabled = true;
    try {
      await handler(event);
    } catch (error) {
      tell(byId(said), error.message, false);
    } finally {
      button.disabled = false;
    }
  };
}

byId("insight-name").addEventListener("change", chooseInsight);
byId("insight-form").addEventListener("submit", (event) => {
  event.preventDefault();
  return showInsight();
});
byId("upload-form").addEventListener("submit", (event) => {
  event.preventDefault();
  return guarded("upload-result", upload)(event);
});
byId("backups-list").addEventListener("click", guarded("backups-result", listBackups));
await showState();
setInterval(showState, 5_000);
await findInsights();
