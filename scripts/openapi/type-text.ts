/** As much of JSON Schema as the routes use. */
export interface Schema {
  readonly type?: string | readonly string[];
  readonly format?: string;
  readonly enum?: readonly unknown[];
  readonly anyOf?: readonly Schema[];
  readonly items?: Schema;
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly required?: readonly string[];
  readonly additionalProperties?: boolean | Schema;
}

const simple: Readonly<Record<string, string>> = {
  string: "string",
  integer: "number",
  number: "number",
  boolean: "boolean",
  null: "null",
};

/** A schema as a type of TypeScript. Throws for what it does not know, so that nothing is typed as what it is not. */
export function typeText(schema: Schema): string {
  if (schema.enum !== undefined) return schema.enum.map((value) => JSON.stringify(value)).join(" | ");
  if (schema.anyOf !== undefined) return schema.anyOf.map(typeText).join(" | ");
  const { type } = schema;
  if (type === undefined) return "unknown";
  if (typeof type !== "string") return type.map((one) => typeText({ ...schema, type: one })).join(" | ");
  if (type === "array") return `readonly (${typeText(schema.items ?? {})})[]`;
  if (type === "object") return objectText(schema);
  if (schema.format === "binary") return "Blob";
  const text = simple[type];
  if (text === undefined) throw new TypeError(`no type for ${type}`);
  return text;
}

function objectText({ properties = {}, required = [], additionalProperties }: Schema): string {
  const fields = Object.entries(properties).map(
    ([name, schema]) => `readonly ${JSON.stringify(name)}${required.includes(name) ? "" : "?"}: ${typeText(schema)}`,
  );
  if (additionalProperties === true) fields.push("readonly [name: string]: unknown");
  else if (typeof additionalProperties === "object" && fields.length === 0) {
    fields.push(`readonly [name: string]: ${typeText(additionalProperties)}`);
  }
  return `{ ${fields.join("; ")} }`;
}
