import { password, type ServedScene } from "./scene.ts";

/** Signs in as the console does. */
export function signIn(scene: ServedScene, username: string, secret = password): Promise<Response> {
  return scene.post("/api/session", {
    body: JSON.stringify({ username, password: secret }),
    headers: { "content-type": "application/json", "x-millrace": "test" },
  });
}
