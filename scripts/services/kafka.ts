import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { cacheFolder, findStamped, lacking, run, type Service, stamp } from "./service.ts";

/** The newest line whose brokers run on Java 17. */
const VERSION = "4.1.1";

const POM = `<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion>
  <groupId>millrace</groupId>
  <artifactId>kafka-server</artifactId>
  <version>1</version>
  <dependencies>
    <dependency>
      <groupId>org.apache.kafka</groupId>
      <artifactId>kafka_2.13</artifactId>
      <version>${VERSION}</version>
    </dependency>
  </dependencies>
</project>
`;

/** Apache publishes the broker as a library too: its jars and those it needs, in one folder, are a server. */
async function install(): Promise<void> {
  const missing = lacking("mvn", "java");
  if (missing.length > 0) throw new Error(`${missing.join(" and ")} not found`);
  const folder = cacheFolder("kafka");
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, "pom.xml"), POM);
  const options = ["-DincludeScope=runtime", "-DoutputDirectory=lib"];
  await run("mvn", ["--quiet", "--batch-mode", "dependency:copy-dependencies", ...options], { cwd: folder });
  stamp("kafka", VERSION);
}

export const kafka: Service = {
  name: "kafka",
  packages: [...lacking("java").map(() => "default-jre-headless"), ...lacking("mvn").map(() => "maven")],
  install,
  find: async () => findStamped("kafka", VERSION),
  byHand: "install Java 17 or newer and Maven, then run this again",
};
