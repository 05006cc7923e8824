import { join } from "node:path";
import { freePort, inFolder } from "../../test/servers/place.ts";
import { program } from "../millrace.ts";
import { runProgram } from "../program.ts";
import { type Service, startService } from "./service.ts";
import { uploader } from "./upload-form.ts";

/** `millrace start` of the build, with its tables in a database and one user who may upload. */
export function startMillrace(database: string, rateLimit: number): Promise<Service> {
  return inFolder("bench", undefined, async (folder) => {
    const data = join(folder, "data");
    const { name, password } = uploader;
    const user = ["user", "add", name, "--role", "writer", "--password", password, "--data", data];
    await runProgram(process.execPath, [program, ...user]);
    const port = await freePort();
    const settings = [`hr.to=${database}`, `http.rateLimit=${rateLimit}`].flatMap((setting) => ["--set", setting]);
    const args = [program, "start", "--port", String(port), "--data", data, ...settings];
    return startService({ name: "millrace", folder, port, command: process.execPath, args, readyPath: "/readyz" });
  });
}
