export { ftpRemote } from "./ftp.ts";
