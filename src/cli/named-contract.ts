import { stat } from "node:fs/promises";
import type { Contract } from "../core/contract.ts";
import { MillraceError } from "../core/error.ts";
import { loadContract } from "../runtime/modules.ts";
import { builtInApplications } from "./applications.ts";

/**
 * The contract that `--contract` names: a `.json` file, a `.ts` module, or one that comes with Millrace as
 * `hr.hired_employees`. A file of that name wins.
 */
export async function namedContract(text: string): Promise<Contract> {
  const [, application, table] = /^([a-z][a-z0-9]*)\.(\w+)$/.exec(text) ?? [];
  const isFile = application === undefined || (await stat(text).catch(() => undefined)) !== undefined;
  if (isFile) return loadContract(text);
  const found = (await builtInApplications()).find(({ name }) => name === application);
  if (found === undefined) return loadContract(text);
  const contract = found.contracts.find((one) => one.table === table);
  if (contract !== undefined) return contract;
  const names = found.contracts.map((one) => `${found.name}.${one.table}`).join(", ");
  throw new MillraceError("USAGE", `${text} is neither a file nor a contract that comes with Millrace`, {
    remedy: `Those of ${found.name} are ${names}.`,
  });
}
