import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { cacheFolder, findStamped, lacking, run, type Service, stamp } from "./service.ts";

/** The newest line that runs on Java 17. */
const VERSION = "2.6.13.Final";

/** Maven wants a project to run in, though this one has nothing of its own. */
const POM = `<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion>
  <groupId>millrace</groupId>
  <artifactId>registry-server</artifactId>
  <version>1</version>
</project>
`;

/** Apicurio, which speaks the API of Confluent's registry too, is published as an archive of all its jars. */
async function install(): Promise<void> {
  const missing = lacking("mvn", "java");
  if (missing.length > 0) throw new Error(`${missing.join(" and ")} not found`);
  const folder = cacheFolder("registry");
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, "pom.xml"), POM);
  const artifact = `-Dartifact=io.apicurio:apicurio-registry-app:${VERSION}:tar.gz:all`;
  const options = [artifact, "-DoutputDirectory=app"];
  await run("mvn", ["--quiet", "--batch-mode", "dependency:unpack", ...options], { cwd: folder });
  stamp("registry", VERSION);
}

export const registry: Service = {
  name: "registry",
  packages: [...lacking("java").map(() => "default-jre-headless"), ...lacking("mvn").map(() => "maven")],
  install,
  find: async () => findStamped("registry", VERSION),
  byHand: "install Java 17 or newer and Maven, then run this again",
};
