import { double, table, text } from "../../src/index.ts";

const name = () => text().minLength(1).maxLength(20);

/** One event of one vehicle; a vehicle's retry of the same event is the same row. */
export const diag = table(
  "diag",
  {
    timestamp: double().key(),
    vin: text().pattern("[A-Z0-9]{17}").key(),
    make: name(),
    model: name(),
    position_x: double(),
    position_y: double(),
    position_z: double(),
    speed: double(),
  },
  { serial: "id" },
);

/** Columns that are numbers: forms send them as text. */
export const numbers: ReadonlySet<string> = new Set(
  Object.entries(diag.columns).flatMap(([column, { type }]) => (type === "double" ? [column] : [])),
);
