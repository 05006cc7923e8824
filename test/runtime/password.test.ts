import { describe, expect, it } from "vitest";
import { hashPassword, isPasswordOf, parseHash, type PasswordHash, scryptCost } from "../../src/runtime/password.ts";

describe("hashes", () => {
  const parsed = (text: string): PasswordHash => {
    const hash = parseHash(text);
    if (hash === undefined) throw new Error(`not a hash: ${text}`);
    return hash;
  };

  it("have the strength that OWASP asks for, in 32 MiB", () => {
    expect(scryptCost).toEqual({ N: 2 ** 15, r: 8, p: 3 });
    expect(128 * scryptCost.N * scryptCost.r).toBe(32 * 2 ** 20);
  });

  // RFC 7914, section 12.
  it.each([
    {
      ...{ password: "pleaseletmein", salt: "SodiumChloride", N: 16_384, r: 8, p: 1 },
      hash: "7023bdcb3afd7348461c06cd81fd38ebfda8fbba904f8e3ea9b543f6545da1f2d5432955613f0fcf62d49705242a9af9e61e85dc0d651e40dfcf017b45575887",
    },
    {
      ...{ password: "password", salt: "NaCl".repeat(2), N: 1024, r: 8, p: 16 },
      hash: undefined,
    },
  ])("of other parameters are honoured: N $N, p $p", async ({ password, salt, N, r, p, hash }) => {
    const text =
      hash === undefined
        ? await hashPassword(password, { N, r, p })
        : [
            "scrypt",
            N,
            r,
            p,
            Buffer.from(salt).toString("base64url"),
            Buffer.from(hash, "hex").toString("base64url"),
          ].join("$");
    expect(await isPasswordOf(password, parsed(text))).toBe(true);
    expect(await isPasswordOf(`${password}.`, parsed(text))).toBe(false);
  });

  const salt = "A".repeat(22);
  const hash = "A".repeat(43);
  it.each([
    ["no power of two", `scrypt$32767$8$1$${salt}$${hash}`],
    ["no work", `scrypt$1$8$1$${salt}$${hash}`],
    ["a gigabyte", `scrypt$1048576$8$1$${salt}$${hash}`],
    ["a gigabyte in large blocks", `scrypt$32768$99$1$${salt}$${hash}`],
    ["hours", `scrypt$32768$8$99$${salt}$${hash}`],
    ["more digits than numbers have", `scrypt$${"9".repeat(400)}$8$1$${salt}$${hash}`],
    ["a minus", `scrypt$-2$8$1$${salt}$${hash}`],
    ["nothing", `scrypt$32768$8$1$${salt}$`],
    ["too long a hash", `scrypt$32768$8$1$${salt}$${"A".repeat(1000)}`],
    ["another function", `argon2id$32768$8$1$${salt}$${hash}`],
    ["more behind", `scrypt$32768$8$1$${salt}$${hash}$x`],
    ["a line before", `x\nscrypt$32768$8$1$${salt}$${hash}`],
    ["the password", "correct horse"],
    ["no text", ""],
  ])("that ask for %s are none", (_, text) => {
    expect(parseHash(text)).toBeUndefined();
  });
});
