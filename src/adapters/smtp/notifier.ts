import { readFileSync } from "node:fs";
import { MillraceError } from "../../core/error.ts";
import { limit } from "../../core/limit.ts";
import { isMailAddress } from "../../core/mail-address.ts";
import type { Place } from "../../core/place.ts";
import { refuseUnknownOptions, unusablePlace } from "../../core/place-options.ts";
import type { Message, Notifier, NotifierFactory } from "../../ports/notifier.ts";
import { composed } from "./composed.ts";
import { explainSmtp } from "./errors.ts";
import { passwordFrom, type PasswordPlace } from "./password.ts";

const knownOptions = ["from", "password_file", "keyring", "tls", "tls_ca"] as const;

interface Address {
  readonly shown: string;
  readonly host: string;
  readonly port: number;
  readonly user: string;
  readonly from: string;
  /** `implicit` from the first byte, `start` by STARTTLS, which the server must offer, `none` in the clear. */
  readonly tls: "implicit" | "start" | "none";
  readonly ca: string | undefined;
  readonly password: PasswordPlace;
}

/** Mail through an SMTP server: `smtp://user@host:587?password_file=…`, `smtps://…`. Throws URL_INVALID. */
export const smtpNotifier: NotifierFactory = (place) => new SmtpNotifier(addressOf(place));

class SmtpNotifier implements Notifier {
  readonly shown: string;
  readonly #address: Address;

  constructor(address: Address) {
    this.#address = address;
    this.shown = address.shown;
  }

  async send(message: Message): Promise<void> {
    const { host, port, user, from, tls, ca, password } = this.#address;
    const mail = composed(message, from);
    const { createTransport } = await import("nodemailer");
    let secret: string | undefined;
    try {
      secret = await passwordFrom(password, user);
      const transport = createTransport({
        ...{ host, port, secure: tls === "implicit", requireTLS: tls === "start", ignoreTLS: tls === "none" },
        ...(secret === undefined ? {} : { auth: { user, pass: secret } }),
        tls: { minVersion: "TLSv1.2", ...(ca === undefined ? {} : { ca }) },
        ...{ connectionTimeout: limit.connectMs, greetingTimeout: limit.connectMs, socketTimeout: limit.mailMs },
      });
      try {
        await transport.sendMail(mail);
      } finally {
        transport.close();
      }
    } catch (error) {
      throw explainSmtp(error, this.shown, secret);
    }
  }

  close(): Promise<void> {
    return Promise.resolve();
  }
}

function addressOf(place: Place): Address {
  refuseUnknownOptions(place, knownOptions);
  const url = URL.parse(place.url.trim());
  if (url === null || url.hostname === "") throw unusablePlace(place, "it names no host", form);
  if (url.password !== "") {
    throw unusablePlace(
      place,
      "it holds a password",
      "Put the password into a file: ?password_file=PATH, or into the keyring.",
    );
  }
  const isImplicit = place.scheme === "smtps";
  const user = decodeURIComponent(url.username);
  const from = place.options.get("from") ?? (user.includes("@") ? user : `millrace@${url.hostname}`);
  if (!isMailAddress(from))
    throw unusablePlace(place, "its from is no mail address", "Write it as from=reports@example.org.");
  const ca = place.options.get("tls_ca");
  return {
    ...{ shown: place.shown, host: url.hostname.replace(/^\[(.+)\]$/, "$1"), user, from },
    port: url.port === "" ? (isImplicit ? 465 : 587) : Number(url.port),
    tls: tlsOf(place, isImplicit),
    ca: ca === undefined ? undefined : fileOf(place, ca),
    password: { file: place.options.get("password_file"), keyring: place.options.get("keyring") },
  };
}

const form = "Write it as smtp://user@host:587?password_file=PATH, or smtps:// for TLS from the first byte.";

/** In the clear only where it is asked for, and nothing is to be kept secret. */
function tlsOf(place: Place, isImplicit: boolean): Address["tls"] {
  const { options } = place;
  const tls = options.get("tls") ?? "true";
  if (!["true", "false"].includes(tls)) throw unusablePlace(place, "it has an unknown tls", "tls is true or false.");
  if (tls === "true") return isImplicit ? "implicit" : "start";
  if (!isImplicit && !options.has("password_file") && !options.has("keyring")) return "none";
  throw unusablePlace(place, "a password would be sent without TLS", "Leave tls=false out.");
}

function fileOf(place: Place, path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch (cause) {
    throw new MillraceError("URL_INVALID", `The tls_ca of ${place.shown} cannot be read`, {
      remedy: "Check that the file is there and can be read.",
      at: { source: path },
      cause,
    });
  }
}
