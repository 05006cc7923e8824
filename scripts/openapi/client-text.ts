import { typeText, type Schema } from "./type-text.ts";

interface Parameter {
  readonly name: string;
  readonly in: string;
  readonly required?: boolean;
  readonly schema: Schema;
}

interface Content {
  readonly content?: Readonly<Record<string, { readonly schema?: Schema }>>;
}

interface Operation {
  readonly summary?: string;
  readonly parameters?: readonly Parameter[];
  readonly requestBody?: Content;
  readonly responses?: Readonly<Record<string, Content>>;
}

/** As much of an OpenAPI 3.1 document as the client is made of. */
export interface Document {
  readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>;
}

/** The source of a client with a method for each operation, its parameters and answers typed by their schemas. */
export function clientText({ paths }: Document): string {
  const operations = Object.entries(paths).flatMap(([path, ofPath]) =>
    Object.entries(ofPath).map(([method, operation]) => ({ path, method, operation })),
  );
  const names = sharedNames(operations.map(({ operation }) => operation));
  const types = [...names].map(([text, name]) => `type ${name} = ${text};\n\n`);
  const methods = operations.map(({ path, method, operation }) => methodText(path, method, operation, names));
  return `${interfaces}${types.join("")}${head}${methods.join("\n")}${tail}`;
}

/** Names of the types that several answers have, by their texts. */
type Names = ReadonlyMap<string, string>;

function sharedNames(operations: readonly Operation[]): Names {
  const bodies = operations.flatMap(({ responses = {} }) => Object.values(responses).map(bodyText));
  const shared = [...new Set(bodies)].filter(
    (text) => text.startsWith("{") && bodies.indexOf(text) !== bodies.lastIndexOf(text),
  );
  return new Map(shared.map((text, index) => [text, `Shared${index + 1}`]));
}

const interfaces = `// Generated from docs/openapi.json by npm run openapi. Not to be edited.
// oxlint-disable

export interface ClientOptions {
  readonly url: string;
  /** HTTP Basic. */
  readonly username?: string;
  readonly password?: string;
}

type Values = Readonly<Record<string, string | number | boolean | Blob | undefined>>;

interface Answer<Status extends number, Body> {
  readonly status: Status;
  readonly headers: Headers;
  readonly body: Body;
}

`;

const head = `export class Client {
  readonly #options: ClientOptions;

  constructor(options: ClientOptions) {
    this.#options = options;
  }

`;

const tail = `
  async #ask<Answer>(method: string, path: string, query: Values, form?: Values, json?: unknown): Promise<Answer> {
    const url = new URL(path, this.#options.url);
    for (const [name, value] of Object.entries(query)) if (value !== undefined) url.searchParams.set(name, String(value));
    const body = new FormData();
    for (const [name, value] of Object.entries(form ?? {})) {
      if (value !== undefined) body.append(name, value instanceof Blob ? value : String(value));
    }
    const { username, password } = this.#options;
    const headers: Record<string, string> = { accept: "application/json" };
    if (username !== undefined) headers["authorization"] = \`Basic \${Buffer.from(\`\${username}:\${password ?? ""}\`).toString("base64")}\`;
    if (json !== undefined) headers["content-type"] = "application/json";
    const sent = json !== undefined ? { body: JSON.stringify(json) } : form === undefined ? {} : { body };
    const response = await fetch(url, { method, headers, ...sent });
    const text = await response.text();
    const isJson = response.headers.get("content-type")?.startsWith("application/json") === true;
    return { status: response.status, headers: response.headers, body: isJson ? JSON.parse(text) : text } as Answer;
  }
}
`;

function methodText(
  path: string,
  method: string,
  { summary, parameters = [], requestBody, responses = {} }: Operation,
  names: Names,
): string {
  const query = parameters.filter((parameter) => parameter.in === "query");
  const inPath = parameters.filter((parameter) => parameter.in === "path");
  const [type, { schema } = {}] = Object.entries(requestBody?.content ?? {})[0] ?? [];
  const isJson = type === "application/json";
  const queryType = query.length === 0 ? undefined : objectText(query);
  const optional = query.every(({ required }) => required !== true) && schema === undefined;
  const args = [
    ...inPath.map(({ name, schema: of }) => `${argumentOf(name)}: ${typeText(of)}`),
    ...(queryType === undefined ? [] : [`query: ${queryType}${optional ? " = {}" : ""}`]),
    ...(schema === undefined ? [] : [`${isJson ? "json" : "form"}: ${typeText(schema)}`]),
  ];
  const byBody = Map.groupBy(Object.entries(responses), ([, response]) => bodyText(response));
  const answers = [...byBody].map(([body, of]) => answerText(of.map(([status]) => status).join(" | "), body, names));
  const call = [
    `"${method.toUpperCase()}"`,
    inPath.length === 0 ? `"${path}"` : pathText(path),
    queryType === undefined ? "{}" : "query",
    ...(schema === undefined ? [] : isJson ? ["undefined", "json"] : ["form"]),
  ];
  const about = summary === undefined ? "" : `  /** ${summary} */\n`;
  return `${about}  ${nameOf(method, path)}(${args.join(", ")}): Promise<${answers.join(" | ") || "Response"}> {\n    return this.#ask(${call.join(", ")});\n  }\n`;
}

/** `/rows/{id}` → `` `/rows/${encodeURIComponent(id)}` `` */
function pathText(path: string): string {
  const parts = path.replaceAll(/\{([^}]+)\}/g, (_, name: string) => `\${encodeURIComponent(${argumentOf(name)})}`);
  return `\`${parts}\``;
}

function argumentOf(name: string): string {
  return name.replaceAll(/\W/g, "_");
}

function objectText(parameters: readonly Parameter[]): string {
  const fields = parameters.map(
    ({ name, required, schema }) => `${JSON.stringify(name)}${required === true ? "" : "?"}: ${typeText(schema)}`,
  );
  return `{ ${fields.join("; ")} }`;
}

function bodyText({ content }: Content): string {
  const schema = content?.["application/json"]?.schema;
  return schema === undefined ? "string" : typeText(schema);
}

function answerText(status: string, body: string, names: Names): string {
  return `Answer<${status}, ${names.get(body) ?? body}>`;
}

/** `post /insights/BY_YEAR` → `postInsightsByYear` */
function nameOf(method: string, path: string): string {
  const words = path.split(/[^A-Za-z0-9]+/).filter((word) => word !== "");
  return method + words.map((word) => word.charAt(0).toUpperCase() + word.slice(1).toLowerCase()).join("");
}
