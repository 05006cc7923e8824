import { randomUUID } from "node:crypto";
import { mkdir, open, rename } from "node:fs/promises";
import { join, resolve } from "node:path";
import { MillraceError } from "../../core/error.ts";
import type { Place } from "../../core/place.ts";
import type { AdapterContext } from "../../ports/adapter.ts";
import type { Message, Notifier, NotifierFactory } from "../../ports/notifier.ts";
import { composed } from "./composed.ts";

/** Mail as `.eml` files in a folder, as mail programs open them. Throws URL_INVALID. */
export const emlNotifier: NotifierFactory = (place, context) => {
  const [unknown] = place.options.keys();
  if (unknown === undefined) return new EmlNotifier(place, context);
  throw new MillraceError("URL_INVALID", `The URL ${place.shown} cannot be used: a folder has no option ${unknown}`, {
    remedy: "Write it as file:PATH.",
  });
};

class EmlNotifier implements Notifier {
  readonly shown: string;
  readonly #folder: string;
  readonly #context: Pick<AdapterContext, "now">;

  constructor(place: Place, context: Pick<AdapterContext, "now">) {
    this.shown = place.shown;
    this.#folder = resolve(place.path);
    this.#context = context;
  }

  async send(message: Message): Promise<void> {
    const mail = composed(message, "millrace@localhost");
    const { createTransport } = await import("nodemailer");
    const { message: bytes } = await createTransport({ streamTransport: true, buffer: true }).sendMail(mail);
    const stamp = new Date(this.#context.now()).toISOString().replaceAll(/[-:.]/g, "");
    const name = `${stamp}-${randomUUID().slice(0, 8)}.eml`;
    try {
      await mkdir(this.#folder, { recursive: true, mode: 0o700 });
      const part = join(this.#folder, `.${name}.part`);
      const file = await open(part, "wx", 0o600);
      try {
        await file.writeFile(bytes as Buffer);
        await file.sync();
      } finally {
        await file.close();
      }
      await rename(part, join(this.#folder, name));
    } catch (cause) {
      const words = cause instanceof Error ? cause.message : String(cause);
      throw new MillraceError("DISK", `No mail can be kept in ${this.#folder}: ${words}`, {
        remedy: "Choose a folder that this user can write to, on a disk with room.",
        cause,
      });
    }
  }

  close(): Promise<void> {
    return Promise.resolve();
  }
}
