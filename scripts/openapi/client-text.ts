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
  const methods = Object.entries(paths).flatMap(([path, operations]) =>
    Object.entries(operations).map(([method, operation]) => methodText(path, method, operation)),
  );
  return `${head}${methods.join("\n")}${tail}`;
}

const head = `// Generated from docs/openapi.json by npm run openapi. Not to be edited.
// oxlint-disable

export interface ClientOptions {
  readonly url: string;
  /** HTTP Basic. */
  readonly username?: string;
  readonly password?: string;
}

type Values = Readonly<Record<string, string | number | boolean | Blob | undefined>>;

export class Client {
  readonly #options: ClientOptions;

  constructor(options: ClientOptions) {
    this.#options = options;
  }

`;

const tail = `
  async #ask<Answer>(method: string, path: string, query: Values, form?: Values): Promise<Answer> {
    const url = new URL(path, this.#options.url);
    for (const [name, value] of Object.entries(query)) if (value !== undefined) url.searchParams.set(name, String(value));
    const body = new FormData();
    for (const [name, value] of Object.entries(form ?? {})) {
      if (value !== undefined) body.append(name, value instanceof Blob ? value : String(value));
    }
    const { username, password } = this.#options;
    const headers: Record<string, string> = { accept: "application/json" };
    if (username !== undefined) headers["authorization"] = \`Basic \${Buffer.from(\`\${username}:\${password ?? ""}\`).toString("base64")}\`;
    const response = await fetch(url, { method, headers, ...(form === undefined ? {} : { body }) });
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
): string {
  const query = parameters.filter((parameter) => parameter.in === "query");
  const schema = Object.values(requestBody?.content ?? {})[0]?.schema;
  const queryType = query.length === 0 ? undefined : objectText(query);
  const optional = query.every(({ required }) => required !== true) && schema === undefined;
  const args = [
    ...(queryType === undefined ? [] : [`query: ${queryType}${optional ? " = {}" : ""}`]),
    ...(schema === undefined ? [] : [`form: ${typeText(schema)}`]),
  ];
  const answers = Object.entries(responses).map(([status, response]) => answerText(status, response));
  const call = [
    `"${method.toUpperCase()}"`,
    `"${path}"`,
    queryType === undefined ? "{}" : "query",
    ...(schema === undefined ? [] : ["form"]),
  ];
  const about = summary === undefined ? "" : `  /** ${summary} */\n`;
  return `${about}  ${nameOf(method, path)}(${args.join(", ")}): Promise<${answers.join(" | ") || "Response"}> {\n    return this.#ask(${call.join(", ")});\n  }\n`;
}

function objectText(parameters: readonly Parameter[]): string {
  const fields = parameters.map(
    ({ name, required, schema }) => `${JSON.stringify(name)}${required === true ? "" : "?"}: ${typeText(schema)}`,
  );
  return `{ ${fields.join("; ")} }`;
}

function answerText(status: string, { content }: Content): string {
  const schema = content?.["application/json"]?.schema;
  return `{ readonly status: ${status}; readonly headers: Headers; readonly body: ${schema === undefined ? "string" : typeText(schema)} }`;
}

/** `post /insights/BY_YEAR` → `postInsightsByYear` */
function nameOf(method: string, path: string): string {
  const words = path.split(/[^A-Za-z0-9]+/).filter((word) => word !== "");
  return method + words.map((word) => word.charAt(0).toUpperCase() + word.slice(1).toLowerCase()).join("");
}
