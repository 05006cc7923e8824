/** Names of the engine's own columns: contracts cannot have columns that start with `_millrace`. */
export const rowColumn = "_millrace_row";
export const faultColumn = "_millrace_fault";
export const textColumn = (index: number): string => `_millrace_text_${index}`;

/** Numbers the records of a relation in their order, from 0. */
export const numbered = `row_number() over () - 1 as ${rowColumn}`;
