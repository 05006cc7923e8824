import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { inFolder } from "./place.ts";
import { findProgram, ServiceMissing } from "./program.ts";

const NAMES = ["chromium", "chromium-browser", "google-chrome"];

/** What keeps it from looking for the network by itself; root has no sandbox. */
export const CHROMIUM_FLAGS = [
  ...["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-dev-shm-usage"],
  ...["--disable-background-networking", "--disable-component-update", "--disable-sync"],
];

export function findChromium(): string | undefined {
  return NAMES.map((name) => findProgram(name)).find((path) => path !== undefined);
}

/** Has a page run its script and answers with what it made. */
export async function askChromium(): Promise<string> {
  const program = findChromium();
  if (program === undefined) throw new ServiceMissing("chromium", NAMES.join(", "));
  return inFolder("chromium", undefined, async (folder) => {
    const page = "data:text/html,<script>document.write(6 * 7)</script>";
    const { stdout } = await promisify(execFile)(
      program,
      [...[...CHROMIUM_FLAGS, `--user-data-dir=${folder}`, "--dump-dom", page]],
      { timeout: 60_000 },
    );
    if (!stdout.includes("42")) throw new Error(`The page shows ${stdout}`);
    return "Chromium runs a page";
  });
}
