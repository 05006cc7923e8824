import { randomBytes, scrypt, type ScryptOptions, timingSafeEqual } from "node:crypto";

/** Parameters of scrypt (RFC 7914): work and memory, size of a block, and how often it is done. */
export interface ScryptCost {
  readonly N: number;
  readonly r: number;
  readonly p: number;
}

/**
 * One of the settings of equal strength that OWASP gives as the minimum, with 32 MiB each instead of the 128 MiB of
 * N = 2^17, p = 1: the memory budget of the process stays with the data.
 * https://cheatsheetseries.owasp.org/cheatsheets/Password_Storage_Cheat_Sheet.html#scrypt
 */
export const scryptCost: ScryptCost = { N: 2 ** 15, r: 8, p: 3 };

/** Bounds of what a kept hash may ask for: it may come from anyone who can write to the store. */
const costMax = { memoryBytes: 64 * 2 ** 20, r: 32, p: 16 } as const;
const saltBytes = 16;
const hashBytes = 32;

/** A hash as it is kept: `scrypt$N$r$p$salt$hash`, salt and hash in base64url without padding. */
export interface PasswordHash {
  readonly cost: ScryptCost;
  readonly salt: Uint8Array;
  readonly hash: Uint8Array;
}

const written = /^scrypt\$(\d{1,8})\$(\d{1,2})\$(\d{1,2})\$([\w-]{11,86})\$([\w-]{22,86})$/;

/** The hash of a new password, with a salt of its own, as text to be kept. Takes 0.1 to 0.3 seconds, off the event loop. */
export async function hashPassword(password: string, cost: ScryptCost = scryptCost): Promise<string> {
  const salt = randomBytes(saltBytes);
  const hash = await derive(password, { cost, salt, hash: Buffer.alloc(hashBytes) });
  return ["scrypt", cost.N, cost.r, cost.p, salt.toString("base64url"), hash.toString("base64url")].join("$");
}

/** A kept hash; undefined when the text is none, or asks for more memory or time than a hash of Millrace ever needs. */
export function parseHash(text: string): PasswordHash | undefined {
  const [, N, r, p, salt, hash] = written.exec(text) ?? [];
  if (salt === undefined || hash === undefined) return undefined;
  const cost = { N: Number(N), r: Number(r), p: Number(p) };
  if (!isBearable(cost)) return undefined;
  return { cost, salt: Buffer.from(salt, "base64url"), hash: Buffer.from(hash, "base64url") };
}

function isBearable({ N, r, p }: ScryptCost): boolean {
  const isPower = N > 1 && Number.isInteger(Math.log2(N));
  return (
    isPower && r >= 1 && r <= costMax.r && p >= 1 && p <= costMax.p && memoryOf({ N, r, p }) <= costMax.memoryBytes
  );
}

/** RFC 7914, section 5: N blocks of 128 r bytes. */
const memoryOf = ({ N, r }: ScryptCost): number => 128 * N * r;

/** Whether it is the password of the hash. Compared in constant time. */
export async function isPasswordOf(password: string, kept: PasswordHash): Promise<boolean> {
  return timingSafeEqual(await derive(password, kept), kept.hash);
}

const nobodysSalt = randomBytes(saltBytes);

/** Costs as much as the check of a password: for names that are not there, which the time must not tell. */
export async function spendOnNobody(password: string, cost: ScryptCost = scryptCost): Promise<void> {
  await derive(password, { cost, salt: nobodysSalt, hash: Buffer.alloc(hashBytes) });
}

/** What one keyboard writes as é and another as e and an accent is one password: RFC 8265, section 4.2. */
function derive(password: string, { cost, salt, hash }: PasswordHash): Promise<Buffer> {
  // A quarter more than the blocks: OpenSSL counts some beside them.
  const options: ScryptOptions = { ...cost, maxmem: Math.ceil(memoryOf(cost) * 1.25) + 2 ** 20 };
  return new Promise((resolve, reject) => {
    scrypt(password.normalize("NFC"), salt, hash.length, options, (error, derived) => {
      if (error === null) resolve(derived);
      else reject(error);
    });
  });
}
