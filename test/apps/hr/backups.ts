import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { expect, vi } from "vitest";
import { selectHired } from "./hired.ts";
import type { BackupEntry, Reply } from "./reply.ts";
import { admin, type HrService } from "./service.ts";

const underWay = /run|start|pend|writ|progress|wait|queue/i;

export async function backupsOf(hr: HrService, table?: string): Promise<BackupEntry[]> {
  const { status, body } = await hr.request("/backups", { who: admin });
  expect(status).toBe(200);
  return (body as BackupEntry[]).filter((entry) => table === undefined || entry.table === table);
}

/** Backs a table up and waits until the backup is finished. Gives it as the list has it. */
export async function backUp(hr: HrService, table: string): Promise<BackupEntry> {
  const known = new Set((await backupsOf(hr, table)).map(({ version }) => version));
  const { status, text } = await hr.request(`/backup?table=${table}`, { method: "POST", who: admin });
  expect({ status, text }).toMatchObject({ status: 200 });
  let made: BackupEntry | undefined;
  const finished = async (): Promise<boolean> => {
    made = (await backupsOf(hr, table)).find(({ version }) => !known.has(version));
    return made !== undefined && !underWay.test(made.state);
  };
  await vi.waitUntil(finished, { timeout: 15_000, interval: 20 });
  if (made === undefined) throw new Error(`no backup of ${table} is listed`);
  return made;
}

export function restore(hr: HrService, table: string, version?: string | number): Promise<Reply> {
  const which = version === undefined ? "" : `&version=${encodeURIComponent(version)}`;
  return hr.request(`/restore?table=${table}${which}`, { method: "POST", who: admin });
}

/** Settings that keep backups in the folder `kept` beside the data. */
export const inFolder = { settings: (folder: string) => ({ "hr.backup": join(folder, "kept") }) };

/** Everything that lies under that folder, by its path. */
export async function keptFiles(hr: HrService): Promise<string[]> {
  const found = await readdir(hr.workplace.path("kept"), { recursive: true, withFileTypes: true });
  return found.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name));
}

export function hiredRows(hr: HrService): Promise<Readonly<Record<string, unknown>>[]> {
  return hr.query(`${selectHired} order by hired_employees.id`);
}

export async function uploadHired(hr: HrService, content: string): Promise<void> {
  await hr.uploaded({ name: "hired_employees.csv", content });
}
