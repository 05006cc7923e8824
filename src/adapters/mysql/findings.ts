import type { Finding } from "../../ports/sink.ts";
import type { Session } from "./session.ts";

const purpose = "looking at the server";

interface Facts {
  readonly version: string;
  readonly comment: string;
  readonly files: bigint | number;
  readonly packet: bigint;
  readonly readOnly: bigint | number;
  readonly characters: string | null;
}

const factsSql = `select version() as version, @@version_comment as comment, @@global.local_infile as files,
  @@max_allowed_packet as packet, @@global.read_only as readOnly,
  (select default_character_set_name from information_schema.schemata where schema_name = ?) as characters`;

/** What the server says of itself, for `doctor`. */
export async function findings(session: Session, database: string): Promise<readonly Finding[]> {
  const [facts] = (await session.ask<Facts>(purpose, factsSql, [database])).rows;
  if (facts === undefined) return [];
  return [
    versionFinding(facts),
    filesFinding(facts),
    packetFinding(facts),
    readOnlyFinding(facts),
    await rightsFinding(session),
  ];
}

const oldest = { MySQL: [8, 0, 17], MariaDB: [10, 6, 0] } as const;

/** Whether a server of this version has what is needed; what it calls itself. */
export function judgeVersion(version: string): { readonly name: "MySQL" | "MariaDB"; readonly isNewEnough: boolean } {
  const name = /mariadb/i.test(version) ? "MariaDB" : "MySQL";
  // Some MariaDB servers put the version before their own that old clients want to see.
  const numbers = version
    .replace(/^5\.5\.5-/, "")
    .split(/[.-]/, 3)
    .map(Number);
  for (const [index, least] of oldest[name].entries()) {
    const is = numbers[index] ?? 0;
    if (is !== least) return { name, isNewEnough: is > least };
  }
  return { name, isNewEnough: true };
}

function versionFinding({ version, comment }: Facts): Finding {
  const { name, isNewEnough } = judgeVersion(version);
  const detail = `${name} ${version} (${comment})`;
  if (isNewEnough) return { check: "version", state: "ok", detail };
  const remedy = `Take ${name} ${oldest[name].join(".")} or later.`;
  return { check: "version", state: "fail", detail, remedy };
}

function filesFinding({ files }: Facts): Finding {
  if (Number(files) === 1) return { check: "local_infile", state: "ok", detail: "on: rows go by LOAD DATA LOCAL" };
  return {
    check: "local_infile",
    state: "warn",
    detail: "off: rows go by INSERT, which is slower",
    remedy: "Switch it on: set global local_infile = 1. Millrace reads no file for it, and gives the server none.",
  };
}

const packetBytesMin = 2 ** 20;

function packetFinding({ packet }: Facts): Finding {
  const detail = `${packet} bytes`;
  if (packet >= packetBytesMin) return { check: "max_allowed_packet", state: "ok", detail };
  const remedy = `Raise it to ${packetBytesMin} or more: a reject is kept with up to 64 KiB of its record.`;
  return { check: "max_allowed_packet", state: "warn", detail, remedy };
}

function readOnlyFinding({ readOnly }: Facts): Finding {
  if (Number(readOnly) === 0) return { check: "writable", state: "ok", detail: "the server takes writes" };
  const remedy = "Name the primary in the URL, or set global read_only = 0.";
  return { check: "writable", state: "warn", detail: "the server is read only", remedy };
}

async function rightsFinding(session: Session): Promise<Finding> {
  const { rows } = await session.ask<Record<string, string>>(purpose, "show grants");
  // A grant of a user by password says the password's hash.
  const grants = rows.map((row) => String(Object.values(row)[0]).replace(/ IDENTIFIED .*$/i, ""));
  return { check: "rights", state: "ok", detail: grants.join("; ") };
}
