import { createHash, randomBytes } from "node:crypto";
import type { FastifyRequest, Store } from "../../src/index.ts";
import type { ApprovedKeys } from "./approved-keys.ts";

const cookieName = "millrace_approval";
const tokenPrefix = "approval/token/";
const addressPrefix = "approval/address/";

/** What is kept of an approval: whose key, for whom, until when. The token itself is not kept. */
interface Approval {
  readonly fingerprint: string;
  readonly address: string;
  readonly untilMs: number;
}

/** An approval as the caller gets it. */
export interface GivenApproval {
  readonly token: string;
  /** Of `Set-Cookie`. */
  readonly cookie: string;
}

/**
 * Who may change data: callers that have shown the fingerprint of a registered key, for a while, from where they did. An
 * approval counts for as long as the key is registered.
 */
export class Approvals {
  readonly #store: Store;
  readonly #keys: ApprovedKeys;
  readonly #sessionMs: number;
  readonly #now: () => number;

  constructor(store: Store, keys: ApprovedKeys, sessionMs: number, now: () => number) {
    this.#store = store;
    this.#keys = keys;
    this.#sessionMs = sessionMs;
    this.#now = now;
  }

  /** Undefined for a fingerprint of no registered key. */
  async approve(fingerprint: string, request: FastifyRequest): Promise<GivenApproval | undefined> {
    if (!(await this.#keys.has(fingerprint))) return undefined;
    await this.#forgetExpired();
    const token = randomBytes(32).toString("base64url");
    const approval = { fingerprint, address: request.ip, untilMs: this.#now() + this.#sessionMs };
    await this.#store.put(tokenPrefix + digestOf(token), { ...approval });
    await this.#store.put(addressPrefix + request.ip, { ...approval });
    const secure = request.protocol === "https" ? "; Secure" : "";
    const seconds = Math.floor(this.#sessionMs / 1_000);
    const cookie = `${cookieName}=${token}; Path=/; Max-Age=${seconds}; HttpOnly; SameSite=Strict${secure}`;
    return { token, cookie };
  }

  /** A caller that sends a token is judged by it alone, one that sends none by its address. */
  async isApproved(request: FastifyRequest): Promise<boolean> {
    // A browser calls for any site from the address of who sits before it.
    if (request.headers["sec-fetch-site"] === "cross-site") return false;
    const token = tokenOf(request);
    const key = token === undefined ? addressPrefix + request.ip : tokenPrefix + digestOf(token);
    const approval = (await this.#store.get(key))?.value as unknown as Approval | undefined;
    if (approval === undefined || approval.untilMs <= this.#now() || approval.address !== request.ip) return false;
    return this.#keys.has(approval.fingerprint);
  }

  async #forgetExpired(): Promise<void> {
    for await (const { key, value } of this.#store.entries("approval/")) {
      if ((value as unknown as Approval).untilMs <= this.#now()) await this.#store.remove(key);
    }
  }
}

function digestOf(token: string): string {
  return createHash("sha256").update(token).digest("hex");
}

/** Sent as `Authorization: Bearer …`, else as a cookie. */
function tokenOf({ headers }: FastifyRequest): string | undefined {
  const bearer = /^bearer\s+(\S+)\s*$/i.exec(headers.authorization ?? "")?.[1];
  if (bearer !== undefined) return bearer;
  return new RegExp(`(?:^|;\\s*)${cookieName}=([^;\\s]*)`).exec(headers.cookie ?? "")?.[1];
}
