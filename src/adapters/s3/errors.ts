import { type ErrorCode, MillraceError } from "../../core/error.ts";
import type { Address } from "./address.ts";

interface Explanation {
  readonly code: ErrorCode;
  readonly remedy: string;
}

const away: Explanation = {
  code: "SINK_UNREACHABLE",
  remedy: "Check the endpoint in the URL, that the server runs, and that the network reaches it.",
};
const denied: Explanation = {
  code: "SINK_DENIED",
  remedy: "Check the keys in the URL (or in the environment), and what they may do in this bucket.",
};
const full: Explanation = { code: "SINK_FULL", remedy: "Make room on the server, or raise the quota." };
const readOnly: Explanation = { code: "SINK_READ_ONLY", remedy: "Choose a bucket that takes writes." };
const noBucket: Explanation = { code: "SINK_UNREACHABLE", remedy: "Create the bucket, or correct its name." };
const elsewhere: Explanation = { code: "SINK_REFUSED", remedy: "Name the bucket's region in the URL: ?region=…" };
const clock: Explanation = { code: "SINK_DENIED", remedy: "Set the clock of this machine: signatures carry the time." };
const refused: Explanation = { code: "SINK_REFUSED", remedy: "See the server's message." };

/** Codes of the S3 API (https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html) and names of the SDK. */
const byName: readonly (readonly [RegExp, Explanation])[] = [
  [/^NoSuchBucket$/, noBucket],
  [/^RequestTimeTooSkewed$/, clock],
  [/^(AccessDenied|AllAccessDisabled|AccountProblem|NotSignedUp|UnauthorizedAccess|InvalidPayer)$/, denied],
  [/^(InvalidAccessKeyId|SignatureDoesNotMatch|InvalidSecurity|InvalidToken|ExpiredToken.*)$/, denied],
  [/^(CredentialsProviderError|TokenProviderError|TokenRefreshRequired)$/, denied],
  [/^(PermanentRedirect|AuthorizationHeaderMalformed|IllegalLocationConstraintException)$/, elsewhere],
  [/^(QuotaExceeded|InsufficientStorage|.*StorageFull)$/i, full],
  [/ReadOnly/i, readOnly],
  [/^(SlowDown|Throttling.*|TooManyRequests.*|RequestTimeout|ServiceUnavailable|InternalError|TimeoutError)$/, away],
];

const byStatus: Readonly<Record<number, Explanation>> = {
  301: elsewhere,
  401: denied,
  403: denied,
  405: readOnly,
  429: away,
  507: full,
};

const networkCodes =
  /^(ECONN|EHOST|ENET|EAI_|ENOTFOUND|ETIMEDOUT|EPIPE|ERR_STREAM|ERR_SSL|ERR_TLS|CERT_|DEPTH_ZERO|SELF_SIGNED|UNABLE_TO)/;

function find({ name, message, status, code }: Facts): Explanation {
  const named = byName.find(([pattern]) => pattern.test(name))?.[1] ?? byStatus[status];
  if (named !== undefined) return named;
  if (message.startsWith("Region is missing")) {
    return { code: "URL_INVALID", remedy: "Name the region in the URL (?region=eu-central-1) or in AWS_REGION." };
  }
  const isLost = networkCodes.test(code) || /^(socket hang up|aborted|Parse Error|Checksum mismatch)/.test(message);
  return isLost || status >= 500 ? away : refused;
}

interface Facts {
  readonly name: string;
  readonly message: string;
  readonly status: number;
  readonly code: string;
}

function factsOf(error: unknown): Facts {
  const { name, message, code, Code, $metadata } = error as {
    readonly name?: unknown;
    readonly message?: unknown;
    readonly code?: unknown;
    readonly Code?: unknown;
    readonly $metadata?: { readonly httpStatusCode?: unknown };
  };
  // What a server answers without a body, to a HEAD or through a proxy, has a name that says nothing.
  const known = typeof Code === "string" ? Code : typeof name === "string" ? name : "Error";
  const status = Number($metadata?.httpStatusCode ?? 0);
  const text = typeof message === "string" && message !== "" ? message : status > 0 ? `HTTP status ${status}` : known;
  return { name: known, message: text, status, code: typeof code === "string" ? code : "" };
}

/** Whether a bucket or a key is what is missing. */
export function isMissing(error: unknown): boolean {
  const { name, status } = factsOf(error);
  return ["NoSuchKey", "NoSuchBucket", "NotFound"].includes(name) || (status === 404 && name !== "NoSuchUpload");
}

export function isBucketMissing(error: unknown): boolean {
  return factsOf(error).name === "NoSuchBucket";
}

/**
 * The SDK's error as one with a code. It is not handed on as the cause: it holds the request with its signature. Its
 * words and its stack are.
 */
export function explainError(error: unknown, { shown, credentials }: Address): MillraceError {
  if (error instanceof MillraceError) return error;
  const facts = factsOf(error);
  const { code, remedy } = find(facts);
  const clean = (text: string): string =>
    credentials === undefined ? text : text.replaceAll(credentials.secretAccessKey, "***");
  const cause = new Error(clean(`${facts.name}: ${facts.message}`));
  if (error instanceof Error && error.stack !== undefined) cause.stack = clean(error.stack);
  return new MillraceError(code, clean(`${shown}: ${facts.message}`), { remedy, cause });
}

/** Whether the same call may work soon. */
export function isPassing(error: MillraceError): boolean {
  return error.code === "SINK_UNREACHABLE" && error.remedy === away.remedy;
}
