/** A name and a domain: nothing that a header, a list or a command of SMTP could take for more. */
const form = /^[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+(\.[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+)*@([A-Za-z0-9-]+\.)*[A-Za-z0-9-]+$/;

/** Whether the text is one mail address and nothing else. */
export function isMailAddress(text: string): boolean {
  return text.length <= 254 && form.test(text);
}

/** The address as it is. Throws a TypeError for one that is none. */
export function mailAddress(text: string): string {
  if (isMailAddress(text)) return text;
  throw new TypeError("An address of a message is no mail address");
}

/** Whether the address, or its domain, is on a list such as `ada@example.org, example.com`. */
export function isOnMailList(address: string, list: string): boolean {
  const wanted = address.toLowerCase();
  const domain = wanted.slice(wanted.lastIndexOf("@") + 1);
  const entries = list.toLowerCase().split(/[\s,;]+/);
  return entries.some((entry) => entry !== "" && (entry === wanted || entry.replace(/^@/, "") === domain));
}
