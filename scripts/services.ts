// The servers that tests use, for real.
//
//   npm run services              installs what is missing of them; a second time it only looks
//   npm run services -- --check   starts each privately, asks it something and stops it
//
// Debian packages where this is Debian and we are root; what has none is made in a folder of the user's cache
// (MILLRACE_SERVICES_DIR moves it); elsewhere docker compose, when a daemon answers. Nothing keeps running but what
// docker runs. A service that fails does not stop the others; the exit code is 1 then.
import { checkServices } from "./services/check.ts";
import { installServices } from "./services/install.ts";

const good = process.argv.includes("--check") ? await checkServices() : await installServices();
process.exitCode = good ? 0 : 1;
