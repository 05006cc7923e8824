/** Schemas of answers, written short. */
export const text = { type: "string" } as const;
export const whole = { type: "integer" } as const;
export const figure = { type: "number" } as const;

export const nullable = (type: string): object => ({ type: [type, "null"] });
export const list = (items: object): object => ({ type: "array", items });
export const record = (properties: Readonly<Record<string, object>>): object => ({
  type: "object",
  properties,
  required: Object.keys(properties),
});

/** A JSON answer with these fields, all of them there. */
export const answers = (description: string, properties: Readonly<Record<string, object>>): object => ({
  description,
  content: { "application/json": { schema: record(properties) } },
});

export const countFields = { read: whole, loaded: whole, merged: whole, filtered: whole, rejected: whole } as const;

/** Users of the console come with its cookie as well as by HTTP Basic. */
export const security = [{ basic: [] }, { session: [] }] as const;
