import { readdirSync, readFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { expect, it } from "vitest";
import { describeWith } from "../../servers/not-run.ts";
import { startSmtp } from "../../servers/smtp.ts";
import { ReplicasScene } from "./scene.ts";

const csv = "id,same,gap\n1,x,\n2,x,5\n3,x,\n";

async function announced(...flags: readonly string[]): Promise<ReplicasScene> {
  const scene = await ReplicasScene.open(...flags);
  await scene.write("parts.csv", csv);
  await scene.announce("parts.csv", { prim_index: "id" });
  return scene;
}

function kept(scene: ReplicasScene): string[] {
  const folder = join(scene.served.data, "mail");
  return readdirSync(folder).map((name) => readFileSync(join(folder, name), "utf8"));
}

it("the report is a mail in a folder, with a picture of what is missing, for those on the list; one a run", async () => {
  await using scene = await announced("replicas.mailTo=example.org");
  await scene.load("?email=ada@example.org");
  const [mail = "", ...others] = kept(scene);
  expect(others).toEqual([]);
  expect(mail).toContain("[TECH REPORT] REDIS DB New table has been successfully uploaded");
  for (const line of [
    "Shape: [3, 3]",
    "Columns of one value: same",
    "Missing values: gap (2)",
    "Rejected records: 0",
  ]) {
    expect(mail).toContain(line);
  }
  const png = /Content-Type: image\/png[\s\S]*?\r\n\r\n([A-Za-z0-9+/=\r\n]+)/.exec(mail)?.[1] ?? "";
  expect(Buffer.from(png, "base64").subarray(1, 4).toString()).toBe("PNG");
  await scene.text("/loadDf2redis", "?email=bob@example.com&force_reload=1");
  await scene.text("/loadDf2redis", "?email=ada@example.org");
  expect(kept(scene)).toHaveLength(1);
  const broken = await fetch(`${scene.served.server.url}/loadDf2redis`, {
    method: "POST",
    body: JSON.stringify({ email: "ada@example.org\r\nBcc: eve@example.com", force_reload: 1 }),
  });
  expect(broken.status).toBe(422);
  await scene.write("parts.csv", "");
  await scene.text("/loadDf2redis", "?email=ada@example.org&force_reload=1");
  expect(kept(scene).filter((text) => text.includes("New table could not be uploaded"))).toHaveLength(1);
}, 60_000);

it("a webhook is told of each run, and one that fails keeps none from ending well", async () => {
  const told: unknown[] = [];
  const hook = createServer((request, response) => {
    request.setEncoding("utf8");
    let body = "";
    request.on("data", (text: string) => (body += text));
    request.on("end", () => {
      told.push(JSON.parse(body));
      response.writeHead(told.length === 1 ? 204 : 500).end();
    });
  });
  await new Promise<void>((resolve) => hook.listen(0, "127.0.0.1", resolve));
  try {
    await using scene = await announced(
      `replicas.webhook=http://127.0.0.1:${(hook.address() as AddressInfo).port}/told`,
    );
    await scene.load();
    expect(told).toMatchObject([{ status: "success", replicas: [{ replica: "parts", rows: 3, shape: "[3, 3]" }] }]);
    expect(await scene.text("/loadDf2redis", "?force_reload=1")).toContain('"PROCESSED"');
    expect(told).toHaveLength(2);
    const notices = scene.served.events.flatMap((event) => (event.kind === "notice" ? [event.text] : []));
    expect(notices.join()).toContain("The webhook was not told");
  } finally {
    hook.closeAllConnections();
    await new Promise((resolve) => hook.close(resolve));
  }
}, 60_000);

describeWith("smtp", "a report through a mail server", () => {
  it("arrives; one that the server refuses is kept, and the load is none the worse", async () => {
    const server = await startSmtp();
    try {
      const url = `${server.url.replace("://", "://reports@")}?tls_ca=${server.ca}&password_file=${server.passwordFile}`;
      await using scene = await announced(`replicas.mail=${url}`, "replicas.mailTo=example.org");
      expect(await scene.load("?email=ada@example.org&force_reload=0")).toContain('"PROCESSED"');
      expect(server.messages()).toHaveLength(1);
      expect(server.messages()[0]).toContain("REDIS DB New table has been successfully uploaded");
      expect(await scene.text("/loadDf2redis", "?email=refused@example.org&force_reload=1")).toContain('"PROCESSED"');
      expect(server.messages()).toHaveLength(1);
      expect(kept(scene)).toHaveLength(1);
      expect(kept(scene)[0]).toContain("To: refused@example.org");
    } finally {
      await server.stop();
    }
  }, 60_000);
});
