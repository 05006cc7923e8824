import { createHash, timingSafeEqual } from "node:crypto";
import { readFile } from "node:fs/promises";
import { MillraceError } from "../../src/index.ts";

const types = /^(ssh-(rsa|ed25519|dss)|ecdsa-sha2-nistp\d+|sk-(ssh-ed25519|ecdsa-sha2-nistp256)@openssh\.com)$/;

/** 43 characters of base64: SHA-256 without its padding. */
const fingerprintForm = /^[A-Za-z0-9+/]{43}$/;

/**
 * A fingerprint as callers send it: as `ssh-keygen -lf` shows it, with `SHA256:` or without. Undefined for what is none. A
 * form turns `+` into a blank, which is in no fingerprint.
 */
export function fingerprintOf(text: string): string | undefined {
  const bare = text
    .trim()
    .replace(/^SHA256:/, "")
    .replace(/=$/, "")
    .replaceAll(" ", "+");
  return fingerprintForm.test(bare) ? bare : undefined;
}

/** Fingerprints of the public keys in a file as `authorized_keys` is: one a line, with options before and a comment behind. */
export function fingerprintsIn(text: string): string[] {
  return text.split(/\r?\n/).flatMap((line) => {
    const parts = line.trim().startsWith("#") ? [] : line.trim().split(/\s+/);
    const at = parts.findIndex((part) => types.test(part));
    const key = at < 0 ? undefined : parts[at + 1];
    return key === undefined
      ? []
      : [createHash("sha256").update(Buffer.from(key, "base64")).digest("base64").slice(0, 43)];
  });
}

/** The SSH public keys that are approved, as their file says at the moment of the question. */
export class ApprovedKeys {
  readonly #path: string;

  constructor(place: string) {
    this.#path = place.replace(/^file:(\/\/(?=\/))?/, "");
  }

  /** Without the file there is nobody to approve. Throws CONFIG_INVALID when it cannot be read. */
  async has(fingerprint: string): Promise<boolean> {
    const wanted = Buffer.from(fingerprint);
    return (await this.#fingerprints()).some((one) => timingSafeEqual(Buffer.from(one), wanted));
  }

  async #fingerprints(): Promise<string[]> {
    try {
      return fingerprintsIn(await readFile(this.#path, "utf8"));
    } catch (cause) {
      if ((cause as NodeJS.ErrnoException).code === "ENOENT") return [];
      throw new MillraceError("CONFIG_INVALID", "The file of replicas.keys cannot be read", {
        remedy: "Name a file of SSH public keys, one a line, that this user may read.",
        cause,
      });
    }
  }
}
