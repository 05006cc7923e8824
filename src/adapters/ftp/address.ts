import { readFileSync } from "node:fs";
import { MillraceError } from "../../core/error.ts";
import type { Place } from "../../core/place.ts";
import { decoded, option, refuseUnknownOptions, unusablePlace } from "../../core/place-options.ts";

/** A server's folder or files, as an ftp or sftp URL names them. Holds the password: never shown. */
export interface ServerAddress {
  /** `ftp://user@host:2121`: what stands before a path for people. */
  readonly root: string;
  readonly host: string;
  readonly port: number;
  readonly user: string;
  readonly password: string | undefined;
  /** Absolute, or relative to where the login leads: `/~/inbox`. Empty: that folder itself. */
  readonly path: string;
}

/** Reads `SCHEME://user[:password]@host[:port]/path`. Throws URL_INVALID. */
export function readServerAddress(place: Place, standardPort: number, options: readonly string[]): ServerAddress {
  refuseUnknownOptions(place, ["password_file", ...options]);
  const form = `Write it as ${place.scheme}://user@host/folder/*.csv?password_file=PATH; %3F is a question mark.`;
  const url = URL.parse(place.url.trim());
  if (url === null || url.hostname === "") throw unusablePlace(place, "it does not name one host", form);
  if (url.hash !== "") throw unusablePlace(place, "it has a #", "Write a # in a name or password as %23.");
  const path = decoded(place, url.pathname);
  if (/[\0\r\n]/.test(path)) throw unusablePlace(place, "its path has a line end in it", form);
  const user = decoded(place, url.username);
  if (/[\0\r\n]/.test(user)) throw unusablePlace(place, "its user has a line end in it", form);
  const inUrl = decoded(place, url.password);
  const password = inUrl === "" ? fileOf(place, "password_file")?.replace(/\r?\n$/, "") : inUrl;
  if (password !== undefined && /[\0\r\n]/.test(password)) {
    throw unusablePlace(place, "its password has a line end in it", "Keep the password alone in the file.");
  }
  const port = url.port === "" ? standardPort : Number(url.port);
  const login = user === "" ? "" : `${encodeURIComponent(user)}@`;
  return {
    root: `${place.scheme}://${login}${url.hostname}${port === standardPort ? "" : `:${port}`}`,
    host: url.hostname.replace(/^\[(.+)\]$/, "$1"),
    port,
    user,
    password,
    path: /^\/~(\/|$)/.test(path) ? path.slice(3) : path,
  };
}

/** The content of the file that an option names. Throws URL_INVALID. */
export function fileOf(place: Place, name: string): string | undefined {
  const path = option(place, name);
  if (path === undefined) return undefined;
  try {
    return readFileSync(path, "utf8");
  } catch (cause) {
    const details = { remedy: `Check that the file of ${name} is there and can be read.`, at: { source: path }, cause };
    throw new MillraceError("URL_INVALID", `The ${name} of ${place.shown} cannot be read`, details);
  }
}
