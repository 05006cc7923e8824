import { AclOperations, AclPermissionTypes, ResourcePatternTypes, ResourceTypes } from "@platformatic/kafka";
import { afterAll, beforeAll, expect, test } from "vitest";
import { kafkaLog } from "../../../src/adapters/kafka/index.ts";
import { parsePlace } from "../../../src/core/place.ts";
import { type GuardedKafka, startGuardedKafka } from "../../servers/kafka-cluster.ts";
import { describeWith } from "../../servers/not-run.ts";
import { context, newName, take, withAdmin } from "./scene.ts";

const ann = { name: "ann", password: "secret-of-ann", super: true };
const bob = { name: "bob", password: "secret-of-bob", super: false };

describeWith("kafka", "logging in to Kafka", () => {
  let server: GuardedKafka;

  beforeAll(async () => {
    server = await startGuardedKafka([ann, bob]);
  });
  afterAll(() => server.stop());

  /** Opens and appends; `undefined`, or what was thrown as people see it, with how it is to be taken. */
  async function attempt(user: string, place: string, options: string): Promise<object | undefined> {
    const log = kafkaLog(parsePlace(`kafka://${user}@${place}/${newName()}?${options}`), context);
    try {
      await log.open();
      await log.append([{ value: Buffer.from("x"), timeMs: Date.now() }]);
      return undefined;
    } catch (thrown) {
      const error = log.explain(thrown);
      expect(error.message).not.toContain("secret");
      expect(JSON.stringify(error)).not.toContain("secret");
      return { code: (error as { code?: string }).code, message: error.message, kind: log.classify(thrown) };
    } finally {
      await log.close();
    }
  }

  const denied = { code: "SINK_DENIED", kind: "stop" };

  for (const mechanism of ["plain", "scram-sha-256", "scram-sha-512"]) {
    test(`${mechanism}: the right password is taken, a wrong one refused`, async () => {
      const options = `sasl=${mechanism}`;
      expect(await attempt("ann:secret-of-ann", server.login, options)).toBeUndefined();
      expect(await attempt("ann:secret-of-bob", server.login, options)).toMatchObject(denied);
      expect(await attempt("eve:secret-of-eve", server.login, options)).toMatchObject(denied);
    });
  }

  test("who may log in and has no rights is told which are missing", async () => {
    const error = await attempt("bob:secret-of-bob", server.login, "sasl=plain");
    expect(error).toMatchObject({ ...denied, message: expect.stringMatching(/[Tt]opic authorization failed/) });
  });

  test("the rights that the page names are enough, and no others are asked for", async () => {
    const [topic, group] = [newName(), newName("group")];
    const owner = kafkaLog(parsePlace(`${server.url}/${topic}?partitions=2`), context);
    await owner.open();
    await owner.close();
    const url = `kafka://bob:secret-of-bob@${server.login}/${topic}?sasl=plain`;
    await allow("TOPIC", topic, ["WRITE", "DESCRIBE"]);
    const writer = kafkaLog(parsePlace(url), context);
    await writer.open();
    await writer.append([{ value: Buffer.from("written"), timeMs: Date.now() }]);
    await writer.close();
    await allow("TOPIC", topic, ["READ"]);
    await allow("GROUP", group, ["READ"]);
    const reader = kafkaLog(parsePlace(url), context);
    await reader.open();
    const stop = new AbortController();
    for await (const lanes of reader.assignments(group, stop.signal)) {
      const lane = lanes.find(({ end }) => end > 0n);
      if (lane === undefined) continue;
      const [record] = await take(reader, lane, 1);
      expect(Buffer.from(record?.value ?? []).toString()).toBe("written");
      await reader.settle(group, lane, lane.end);
      stop.abort();
    }
    await reader.close();
  });

  async function allow(
    type: "TOPIC" | "GROUP",
    resourceName: string,
    operations: readonly (keyof typeof AclOperations)[],
  ): Promise<void> {
    const resource = {
      resourceType: ResourceTypes[type],
      resourceName,
      resourcePatternType: ResourcePatternTypes.LITERAL,
    };
    const creations = operations.map((operation) => ({
      ...resource,
      ...{ principal: "User:bob", host: "*", permissionType: AclPermissionTypes.ALLOW },
      operation: AclOperations[operation],
    }));
    await withAdmin(server.url, (admin) => admin.createAcls({ creations }));
  }

  test("TLS: a certificate that signs itself is refused unless it is named, or not asked for", async () => {
    const [user, options] = ["ann:secret-of-ann", "sasl=plain&tls=true"];
    expect(await attempt(user, server.encrypted, `${options}&tls_ca=${server.certificate}`)).toBeUndefined();
    expect(await attempt(user, server.encrypted, "sasl=scram-sha-512&tls=unverified")).toBeUndefined();
    expect(await attempt(user, server.encrypted, options)).toMatchObject({ code: "SINK_UNREACHABLE", kind: "stop" });
    expect(await attempt(user, server.encrypted, "sasl=plain")).toMatchObject({ code: "SINK_UNREACHABLE" });
    expect(await attempt(user, server.login, options)).toMatchObject({ code: "SINK_UNREACHABLE" });
  });
});
