/** What a row of the twin is made of. */
export interface TwinAddress {
  readonly city: string;
  /** As it is spelt in the file. */
  readonly state: string | null;
  readonly country: string;
  readonly postCode: string;
  /** The full name that it must become; undefined for a place in no state. */
  readonly expected: string | undefined;
}

const places: readonly TwinAddress[] = [
  { city: "Lee's Summit ", state: "US-MO", country: "US", postCode: "64063", expected: "Missouri" },
  { city: "San José", state: "CA", country: "US", postCode: "95110", expected: "California" },
  { city: "Coeur d'Alene", state: "Id", country: "US", postCode: "83814", expected: "Idaho" },
  { city: "New York", state: "new york", country: "US", postCode: "10001-1234", expected: "New York" },
  { city: "Washington", state: "US-DC", country: "US", postCode: "20001", expected: "District of Columbia" },
  // A city of that name lies in Maine too: what is valid stays.
  { city: "Portland", state: "Oregon", country: "US", postCode: "97201", expected: "Oregon" },
  { city: "Paris", state: null, country: "US", postCode: "75460", expected: "Texas" },
  { city: "Paris", state: "Île-de-France", country: "FR", postCode: "75001", expected: undefined },
  { city: 'The "Hub"', state: "W. Virginia", country: "US", postCode: "", expected: undefined },
  { city: "Winston\\Salem", state: "North-Carolina", country: "US", postCode: "27101", expected: "North Carolina" },
];

export const twinPlace = (row: number): TwinAddress => places[row % places.length] as TwinAddress;

/** As Python writes a text: in the quotes that it need not escape. */
function python(text: string | null): string {
  if (text === null) return "None";
  const escaped = text.replaceAll("\\", "\\\\");
  if (!text.includes("'")) return `'${escaped}'`;
  return text.includes('"') ? `'${escaped.replaceAll("'", "\\'")}'` : `"${escaped}"`;
}

/** The address of a row, in one of the ways in which such files hold them. */
function written(row: number): string {
  const { city, state, country, postCode } = twinPlace(row);
  const fields = [city, state, country, postCode === "" ? null : postCode].map(python);
  const dict = `{'city': ${fields[0]}, 'state': ${fields[1]}, 'country': ${fields[2]}, 'postCode': ${fields[3]}}`;
  // Written by hand: an inner quote that nobody escaped.
  return row % 7 === 0 ? dict.replace('"Lee\'s Summit "', "'Lee's Summit '") : dict;
}

/** A file like the one of US users that people drop: id, address as a Python dict, time of insertion. */
export function usersTwin(rows: number): string {
  const lines = Array.from({ length: rows }, (_, row) => {
    const time = new Date(Date.UTC(2022, 1, 1) + row * 61_000).toISOString().slice(0, 19).replace("T", " ");
    return `${row + 1},"${written(row).replaceAll('"', '""')}",${time}\n`;
  });
  return `id,address,inserted_at\n${lines.join("")}`;
}
