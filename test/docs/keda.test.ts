// The manifest that scales a stage: what stands in it has to be what the program and the page call it.
import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { parseAllDocuments } from "yaml";

interface Manifest {
  readonly kind: string;
  readonly metadata: { readonly name: string };
  readonly spec: {
    readonly scaleTargetRef?: { readonly name: string };
    readonly triggers?: readonly {
      readonly type: string;
      readonly authenticationRef?: { readonly name: string };
      readonly metadata: Readonly<Record<string, string>>;
    }[];
    readonly template?: { readonly spec: { readonly containers: readonly { readonly args: readonly string[] }[] } };
  };
}

const page = readFileSync("docs/queues.md", "utf8");
const documents = parseAllDocuments(readFileSync("deploy/keda/stage.yaml", "utf8"));
const manifests = documents.map((document) => document.toJS() as Manifest);
const of = (kind: string): Manifest | undefined => manifests.find((manifest) => manifest.kind === kind);

describe("the manifest for KEDA", () => {
  it("is YAML, and what it names is in it", () => {
    expect(documents.flatMap(({ errors }) => errors)).toEqual([]);
    expect(of("ScaledObject")?.spec.scaleTargetRef?.name).toBe(of("Deployment")?.metadata.name);
    const named = of("ScaledObject")?.spec.triggers?.flatMap(({ authenticationRef }) => authenticationRef?.name ?? []);
    expect(named).toEqual([of("TriggerAuthentication")?.metadata.name]);
  });

  it("scales by the length of the queue, and by a metric that a service has", () => {
    const triggers = of("ScaledObject")?.spec.triggers ?? [];
    expect(triggers.map(({ type }) => type)).toEqual(["rabbitmq", "prometheus"]);
    const [queue, age] = triggers.map(({ metadata }) => metadata);
    expect(queue).toMatchObject({ mode: "QueueLength", queueName: "points", protocol: "amqp" });
    const metric = /millrace_\w+/.exec(age?.["query"] ?? "")?.[0] ?? "none";
    expect(readFileSync("src/http/metrics.ts", "utf8")).toContain(`name: "${metric}"`);
    expect(page).toContain(metric);
  });

  it("runs the stage as the page says", () => {
    const [container] = of("Deployment")?.spec.template?.spec.containers ?? [];
    const call = ["millrace", ...(container?.args ?? [])].filter((word) => word !== "--json").join(" ");
    expect(page).toContain(`\`${call}\``);
  });
});
