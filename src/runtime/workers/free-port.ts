import { createServer, type AddressInfo } from "node:net";

/** A port of this machine at which nobody listens now: workers that come later must find the one that the first had. */
export function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once("error", reject);
    server.listen(0, "127.0.0.1", () => {
      const { port } = server.address() as AddressInfo;
      server.close(() => resolve(port));
    });
  });
}
