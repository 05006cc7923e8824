import ssh2, { type Client, type SFTPWrapper } from "ssh2";
import { MillraceError } from "../../core/error.ts";
import { limit } from "../../core/limit.ts";
import type { ServerAddress } from "./address.ts";
import { fingerprintOf, type KnownKeys } from "./host-key.ts";

/** What logs in beside, or instead of, the password. */
export interface PrivateKey {
  readonly text: string | undefined;
  readonly passphrase: string | undefined;
}

interface Connected {
  readonly client: Client;
  readonly sftp: SFTPWrapper;
}

/** The connection to a server, over which several files are read at once; made anew when it is lost. */
export class SftpConnection {
  readonly #address: ServerAddress;
  readonly #key: PrivateKey;
  readonly #known: KnownKeys;
  #connected: Promise<Connected> | undefined;

  constructor(address: ServerAddress, key: PrivateKey, known: KnownKeys) {
    this.#address = address;
    this.#key = key;
    this.#known = known;
  }

  async sftp(): Promise<SFTPWrapper> {
    const connecting = this.#connected ?? this.#kept(this.#connect());
    this.#connected = connecting;
    return (await connecting).sftp;
  }

  /** Until it is lost: whoever comes next makes a new one. */
  #kept(connecting: Promise<Connected>): Promise<Connected> {
    const forget = (): void => {
      if (this.#connected === connecting) this.#connected = undefined;
    };
    connecting.then(({ client }) => client.once("close", forget), forget);
    return connecting;
  }

  async close(): Promise<void> {
    const connected = await this.#connected?.catch(() => undefined);
    this.#connected = undefined;
    connected?.client.end();
    connected?.client.destroy();
  }

  #connect(): Promise<Connected> {
    const { host, port, user, password } = this.#address;
    const { text, passphrase } = this.#key;
    const { algorithms } = this.#known;
    const client = new ssh2.Client();
    const { promise, resolve, reject } = Promise.withResolvers<Connected>();
    let shown: string | undefined;
    client.on("error", (error) => reject(shown === undefined ? error : this.#unknownKey(shown)));
    client.on("close", () => reject(new Error("the connection was closed")));
    client.on("ready", () => {
      client.sftp((error, sftp) => {
        if (error !== undefined) return reject(error);
        resolve({ client, sftp });
      });
    });
    const hostVerifier = (key: Buffer): boolean => {
      const isKnown = this.#known.isKnown(key);
      if (!isKnown) shown = fingerprintOf(key);
      return isKnown;
    };
    try {
      client.connect({
        ...{ host, port, username: user, hostVerifier, readyTimeout: limit.remoteMs },
        ...{ keepaliveInterval: limit.remoteMs / 4, keepaliveCountMax: 3 },
        ...(password === undefined ? {} : { password }),
        ...(text === undefined ? {} : { privateKey: text }),
        ...(passphrase === undefined ? {} : { passphrase }),
        ...(algorithms.length === 0 ? {} : { algorithms: { serverHostKey: [...algorithms] as never } }),
      });
    } catch (error) {
      reject(error);
    }
    return promise.catch((error: unknown) => {
      client.destroy();
      throw error;
    });
  }

  #unknownKey(fingerprint: string): MillraceError {
    const { root } = this.#address;
    return new MillraceError("SINK_DENIED", `${root} shows the host key ${fingerprint}, which is not known`, {
      remedy:
        "Ask whoever runs the server whether that is its key. If so, give it as host_key=SHA256:…, its + as %2B, or add the server to known_hosts.",
      at: { source: root },
    });
  }
}
