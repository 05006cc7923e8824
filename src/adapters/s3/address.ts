import { MillraceError } from "../../core/error.ts";
import type { Place } from "../../core/place.ts";

/** An s3 URL, read once. Holds the secret key: never shown. */
export interface Address {
  readonly bucket: string;
  /** What keys start with: empty, or ends with a slash. */
  readonly prefix: string;
  /** The URL without credentials. */
  readonly shown: string;
  /** Undefined: AWS. */
  readonly endpoint: string | undefined;
  /** Undefined: as the AWS SDK finds it in the environment or in a profile. */
  readonly region: string | undefined;
  /** `endpoint/bucket/key` instead of `bucket.endpoint/key`. */
  readonly pathStyle: boolean;
  /** Undefined: as the AWS SDK finds them. */
  readonly credentials: { readonly accessKeyId: string; readonly secretAccessKey: string } | undefined;
}

const knownOptions: readonly string[] = ["endpoint", "region", "path_style"];
const example = "Write it as s3://bucket/folder?region=eu-central-1; quote a secret key's / and + as %2F and %2B.";
/** S3 servers name a region although they have none; this is what most of them take. */
const usualRegion = "us-east-1";

/** Reads `s3://KEY:SECRET@bucket/prefix?endpoint=…&region=…&path_style=…`. Throws URL_INVALID. */
export function readAddress(place: Place): Address {
  const url = URL.parse(place.url.trim());
  if (url === null || isCutShort(url)) throw invalid("s3://…", "it does not parse", example);
  const bucket = decoded(url.hostname);
  if (bucket === "") throw invalid("s3://…", "it names no bucket", example);
  const segments = url.pathname.split("/").filter((segment) => segment !== "");
  const prefix = segments.map((segment) => `${decoded(segment)}/`).join("");
  const shown = `s3://${bucket}/${segments.join("/")}${url.search}`;
  if (/(^|\/)\.{1,2}\//.test(prefix)) throw invalid(shown, "its path has . or .. in it", "Name the folder itself.");
  const unknown = [...place.options.keys()].find((name) => !knownOptions.includes(name));
  if (unknown !== undefined) {
    throw invalid("s3://…", `it has the unknown option ${unknown}`, `Options are ${knownOptions.join(", ")}.`);
  }
  const endpoint = endpointOf(place, shown);
  return {
    ...{ bucket, prefix, shown, endpoint },
    region: nonEmpty(place.options.get("region")) ?? (endpoint === undefined ? undefined : usualRegion),
    pathStyle: pathStyleOf(place, shown) ?? (endpoint !== undefined || bucket.includes(".")),
    credentials: credentialsOf(url, shown),
  };
}

/** A secret with a slash in it may parse, as a host, a port and a path: nothing of such a URL is repeated. */
function isCutShort({ port, pathname, hash }: URL): boolean {
  return port !== "" || pathname.includes("@") || hash !== "";
}

function credentialsOf(url: URL, shown: string): Address["credentials"] {
  const [accessKeyId, secretAccessKey] = [decoded(url.username), decoded(url.password)];
  if (accessKeyId === "" && secretAccessKey === "") return undefined;
  if (accessKeyId !== "" && secretAccessKey !== "") return { accessKeyId, secretAccessKey };
  throw invalid(
    shown,
    "it has one of access key and secret key, not both",
    "Write s3://KEY:SECRET@bucket, or neither.",
  );
}

function endpointOf(place: Place, shown: string): string | undefined {
  const text = nonEmpty(place.options.get("endpoint"));
  if (text === undefined) return undefined;
  const url = URL.parse(text);
  const isServer =
    url !== null && ["http:", "https:"].includes(url.protocol) && url.username === "" && url.search === "";
  if (isServer) return text;
  const remedy = "Write endpoint=http://host:port; credentials stand before the bucket.";
  // An endpoint with credentials in it is not to be shown.
  throw invalid(shown.split("?")[0] ?? "s3://…", "its endpoint is no address of a server", remedy);
}

function pathStyleOf(place: Place, shown: string): boolean | undefined {
  const text = nonEmpty(place.options.get("path_style"));
  if (text === undefined) return undefined;
  if (text === "true" || text === "false") return text === "true";
  throw invalid(shown, "its path_style is neither true nor false", "Write path_style=true or path_style=false.");
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    throw invalid("s3://…", "it has a % that is not followed by two digits", "Write a % in a key as %25.");
  }
}

function nonEmpty(text: string | undefined): string | undefined {
  return text === "" ? undefined : text;
}

function invalid(shown: string, why: string, remedy: string): MillraceError {
  return new MillraceError("URL_INVALID", `The URL ${shown} cannot be used: ${why}`, { remedy });
}
