import type { SendMailOptions } from "nodemailer";
import { mailAddress } from "../../core/mail-address.ts";
import type { Message } from "../../ports/notifier.ts";

/** The message as the library takes it: text, and beside it HTML with the pictures that it shows. */
export function composed(message: Message, from: string): SendMailOptions {
  return {
    from: mailAddress(from),
    to: message.to.map(mailAddress),
    subject: message.subject.replaceAll(/[\r\n]+/g, " "),
    text: message.text,
    html: message.html,
    attachments: message.pictures.map(({ id, name, type, bytes }) => ({
      ...{ cid: id, filename: name, contentType: type, contentDisposition: "inline" as const },
      content: Buffer.from(bytes),
    })),
    headers: { "Auto-Submitted": "auto-generated" },
    // What a message says of files and addresses is never fetched.
    disableFileAccess: true,
    disableUrlAccess: true,
  };
}
