export { ftpRemote } from "./ftp.ts";
export { sftpRemote } from "./sftp.ts";
