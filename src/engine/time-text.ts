import { quoteLiteral } from "../core/identifier.ts";

/**
 * A day or time that is one already has no form of its own, so it is given the contract's; one that the form cannot
 * hold to the last digit stays as it is, and is told to be of another form.
 */
export function timeAsText(column: string, format: string): string {
  const time = `try_cast(${column} as timestamp)`;
  const formatted = `strftime(${time}, ${quoteLiteral(format)})`;
  const exact = `try_strptime(${formatted}, ${quoteLiteral(format)}) = ${time}`;
  return `case when ${exact} then ${formatted} else cast(${column} as varchar) end`;
}
