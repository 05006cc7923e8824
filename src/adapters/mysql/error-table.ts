import type { ErrorCode } from "../../core/error.ts";
import type { FailureKind } from "../../core/retry.ts";

/** What an error of the server means. */
export interface Meaning {
  readonly code: ErrorCode;
  readonly kind: FailureKind;
  readonly remedy: string;
}

const busy = (remedy: string): Meaning => ({ code: "SINK_BUSY", kind: "wait", remedy });
const away = (remedy: string): Meaning => ({ code: "SINK_UNREACHABLE", kind: "wait", remedy });
const full = (remedy: string): Meaning => ({ code: "SINK_FULL", kind: "wait", remedy });
const denied = (remedy: string): Meaning => ({ code: "SINK_DENIED", kind: "stop", remedy });
const refused = (remedy: string): Meaning => ({ code: "SINK_REFUSED", kind: "stop", remedy });
const readOnly: Meaning = {
  code: "SINK_READ_ONLY",
  kind: "wait",
  remedy: "The server is a replica or set to read only: name the primary in the URL, or wait until it takes writes.",
};

const locked = busy("Another transaction holds the lock; end it (see `show processlist`) or wait.");
const crowded = busy("The server has no connection or memory left; give it room or wait.");
const room = full("Make room on the server's disk, or raise the table's size limit; the load then goes on.");
const going = away("The server is going down or coming up; wait until it answers.");
const cut = away("Check that the server runs and that the network reaches it; see the server's log.");
const login = denied("Check user and password in the URL, and from which hosts the user may come.");
const rights = denied("Grant the right that the message names to the user in the URL.");
const interrupted = busy("The statement was cancelled or took longer than the server allows.");
const changed = refused("The table is not as it was when the run began, or a setting is wrong.");

/** By the number of the error, which MySQL and MariaDB share but where they came to things after they had parted. */
const meanings: ReadonlyMap<number, Meaning> = new Map([
  ...each([1205, 3572], locked),
  ...each([1213, 1020, 3101, 1614], busy("Another transaction was in the way. The batch is tried again.")),
  ...each([1040, 1203, 1226, 1037, 1038, 1041, 1135], crowded),
  ...each([3, 20, 1021, 1026, 1114, 3019], room),
  ...each([1053, 1077, 1079, 1047, 1836], going),
  ...each([1152, 1158, 1159, 1160, 1161, 1184, 1927, 4031, 2006, 2013], cut),
  ...each([1792, 1874], readOnly),
  ...each([1317, 1028, 1969, 3024], interrupted),
  ...each([1045, 1698, 1251, 1820, 1862, 3118, 4151, 1130, 1129], login),
  ...each([1044, 1142, 1143, 1227, 1370, 1410], rights),
  [3159, denied("The server wants TLS: add ?ssl-mode=required to the URL.")],
  [
    1049,
    {
      code: "SINK_UNREACHABLE",
      kind: "stop",
      remedy: "Create the database with `create database`, or correct its name at the end of the URL.",
    },
  ],
  [1153, refused("Raise max_allowed_packet of the server: a record that is kept with its reasons is larger than it.")],
  [1419, refused("The server wants log_bin_trust_function_creators, or the SUPER right, for this.")],
  [1425, refused("MySQL's decimals have at most 65 digits, 30 of them behind the point (MariaDB: 38).")],
  [1118, refused("Give text columns no maxLength, or a longer one: they are then kept outside of the row.")],
  ...each([1054, 1146, 1136], changed),
]);

function each(numbers: readonly number[], meaning: Meaning): (readonly [number, Meaning])[] {
  return numbers.map((number) => [number, meaning] as const);
}

const classes: Readonly<Record<string, Meaning>> = {
  "08": cut,
  "28": login,
  "40": busy("Another transaction was in the way. The batch is tried again."),
  "42": changed,
};

const unknown = refused("See the server's message and its log.");

/** What the server's error means, whatever it was that it was asked. */
export function meaningOf(number: number, state: string, message: string): Meaning {
  // One number for all that an option of the server forbids.
  if (number === 1290 && /read[-_]only/.test(message)) return readOnly;
  if (number === 1030 && /\b28\b|No space/.test(message)) return room;
  return meanings.get(number) ?? classes[state.slice(0, 2)] ?? unknown;
}

/** What has no class of its own: column without default, wrong value, no partition, failed check, characters. */
const rowNumbers: ReadonlySet<number> = new Set([
  ...[1364, 1366, 1526, 1369, 3819, 1265, 1292, 1300, 1411, 1367, 1525, 1586, 1644, 1118, 1263],
  ...[1977, 3854, 4078, 3140, 3141, 3156, 1416, 3988],
]);

/** Whether a single row can cause the error: data (22), constraints (23), what a trigger signals (45), and some without a class. */
export function isRowNumber(number: number, state: string): boolean {
  return /^(22|23|44|45)/.test(state) || rowNumbers.has(number);
}
