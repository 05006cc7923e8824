import { MillraceError } from "../../core/error.ts";
import { parsePlace } from "../../core/place.ts";

/** The URL of a registry, read once. Holds the password: never shown. */
export interface Address {
  /** Scheme, host, port and path, without a slash at the end. */
  readonly root: string;
  /** The URL without its password. */
  readonly shown: string;
  /** The header that says who asks; undefined where the URL names nobody. */
  readonly authorization: string | undefined;
}

/** Reads `http[s]://[user:password@]host[:port][/path]`. Throws URL_INVALID. */
export function readAddress(text: string): Address {
  const place = parsePlace(text);
  const url = URL.parse(place.url);
  if (url === null || !/^https?:$/.test(url.protocol)) throw invalid(place.shown, "it is no http: or https: URL");
  if (url.search !== "" || url.hash !== "") throw invalid(place.shown.replace(/[?#].*/, ""), "it has options");
  const [user, password] = [decoded(url.username), decoded(url.password)];
  const login = Buffer.from(`${user}:${password}`).toString("base64");
  return {
    root: `${url.protocol}//${url.host}${url.pathname.replace(/\/+$/, "")}`,
    shown: place.shown.replace(/\/+$/, ""),
    authorization: user === "" && password === "" ? undefined : `Basic ${login}`,
  };
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    throw invalid("of the registry", "a % in its user or password is not followed by two digits");
  }
}

function invalid(shown: string, why: string): MillraceError {
  return new MillraceError("URL_INVALID", `The URL ${shown} cannot be used for a schema registry: ${why}`, {
    remedy: "Write it as http://host:8081, with user:password@ before the host where the registry asks for them.",
  });
}
