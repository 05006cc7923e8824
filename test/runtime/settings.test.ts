import { join, resolve } from "node:path";
import { describe, expect, it } from "vitest";
import { MillraceError } from "../../src/core/error.ts";
import { setting } from "../../src/core/setting.ts";
import { dataFolder, environmentName, Settings, type SettingSources } from "../../src/runtime/settings.ts";

const hr = {
  to: setting.place("duckdb:{data}/hr.duckdb", "where rows go"),
  backupKeep: setting.count(7, "backups kept of each table", { min: 1, max: 100 }),
};
const http = {
  port: setting.count(8080, "the port"),
  bodyBytes: setting.bytes(2 ** 20, "the largest body"),
  docs: setting.flag(true, "whether /docs is served"),
  title: setting.text("Millrace", "what the page is called"),
};
const groups = { hr, http };

const sources = (more: Partial<SettingSources> = {}): SettingSources => ({
  ...{ flags: [], environment: {}, config: { file: undefined }, data: "/data" },
  ...more,
});
const config = (settings: Record<string, Record<string, unknown>>): SettingSources["config"] => ({
  file: "/project/millrace.config.ts",
  settings,
});

function failure(work: () => unknown): MillraceError {
  try {
    work();
  } catch (error) {
    if (error instanceof MillraceError) return error;
    throw error;
  }
  throw new Error("expected a MillraceError");
}

describe("settings", () => {
  it("have standards, in which {data} is the data folder", () => {
    const settings = new Settings(groups, sources());
    expect(settings.of("hr", hr)).toEqual({ to: "duckdb:/data/hr.duckdb", backupKeep: 7 });
    expect(settings.of("http", http)).toEqual({ port: 8080, bodyBytes: 2 ** 20, docs: true, title: "Millrace" });
  });

  it("are those of flags, else of the environment, else of the configuration", () => {
    const all = {
      flags: ["hr.to=duckdb:flag.db"],
      environment: { MILLRACE_HR_TO: "duckdb:environment.db", MILLRACE_HR_BACKUP_KEEP: "5" },
      config: config({ hr: { to: "duckdb:config.db", backupKeep: 3 }, http: { port: 1234 } }),
    };
    const of = (more: Partial<SettingSources>): unknown => {
      const settings = new Settings(groups, sources(more));
      return [settings.of("hr", hr).to, settings.of("hr", hr).backupKeep, settings.of("http", http).port];
    };
    expect(of(all)).toEqual(["duckdb:flag.db", 5, 1234]);
    expect(of({ ...all, flags: [] })).toEqual(["duckdb:environment.db", 5, 1234]);
    expect(of({ config: all.config })).toEqual(["duckdb:config.db", 3, 1234]);
  });

  it("of a flag that is repeated are the last", () => {
    const flags = ["http.port=1", "http.port=2"];
    expect(new Settings(groups, sources({ flags })).of("http", http).port).toBe(2);
  });

  it("keep what stands behind the first equals sign", () => {
    const flags = ["hr.to=postgres://localhost/hr?schema=a&options=-cx=y"];
    expect(new Settings(groups, sources({ flags })).of("hr", hr).to).toBe(
      "postgres://localhost/hr?schema=a&options=-cx=y",
    );
  });

  it("read the words and sizes that people write", () => {
    const flags = ["http.docs=no", "http.bodyBytes=64MB", "http.title=a=b", "hr.to=file:{data}/x/{data}"];
    const settings = new Settings(groups, sources({ flags }));
    expect(settings.of("http", http)).toEqual({ port: 8080, bodyBytes: 64 * 2 ** 20, docs: false, title: "a=b" });
    expect(settings.of("hr", hr).to).toBe("file:/data/x//data");
  });

  it("have names in the environment", () => {
    expect(environmentName("hr", "backupKeep")).toBe("MILLRACE_HR_BACKUP_KEEP");
    expect(environmentName("users", "place")).toBe("MILLRACE_USERS_PLACE");
  });
});

describe("a setting that does not exist", () => {
  it("is refused with the nearest that does, wherever it was said", () => {
    const flag = failure(() => new Settings(groups, sources({ flags: ["hr.backupkept=3"] })));
    expect(flag).toMatchObject({ code: "CONFIG_INVALID", message: "There is no setting hr.backupkept" });
    expect(flag.remedy).toContain("Did you mean hr.backupKeep?");
    expect(flag.remedy).toContain("hr.to, hr.backupKeep, http.port");
    const file = failure(() => new Settings(groups, sources({ config: config({ http: { prt: 1 } }) })));
    expect(file).toMatchObject({ code: "CONFIG_INVALID", at: { source: "/project/millrace.config.ts" } });
    expect(file.remedy).toContain("Did you mean http.port?");
    expect(failure(() => new Settings(groups, sources({ config: config({ hrr: { to: "x" } }) }))).message).toContain(
      "hrr.to",
    );
  });

  it("is another command's in a configuration of which only some groups are meant; a flag is not", () => {
    const foreign = config({ http: { port: 1, unknown: 2 }, fleet: { to: "x" }, hr: { backupKeep: 3 } });
    const settings = new Settings({ hr }, sources({ config: foreign }), { only: true });
    expect(settings.of("hr", hr).backupKeep).toBe(3);
    expect(failure(() => new Settings({ hr }, sources({ config: foreign }))).code).toBe("CONFIG_INVALID");
    const wrong = config({ hr: { backupKept: 3 } });
    expect(failure(() => new Settings({ hr }, sources({ config: wrong }), { only: true })).code).toBe("CONFIG_INVALID");
    const flags = ["http.port=1"];
    expect(failure(() => new Settings({ hr }, sources({ flags }), { only: true })).message).toContain("http.port");
  });

  it("is not found where objects have names of their own", () => {
    for (const flags of [["hr.constructor=1"], ["__proto__.to=1"], ["hr.__proto__=1"]]) {
      expect(failure(() => new Settings(groups, sources({ flags }))).code).toBe("CONFIG_INVALID");
    }
  });

  it("needs a name and a value", () => {
    for (const flags of [["hr.to"], ["=x"], [""]]) {
      const { code, message } = failure(() => new Settings(groups, sources({ flags })));
      expect([code, message]).toEqual(["USAGE", "--set is followed by GROUP.NAME=VALUE"]);
    }
  });
});

describe("a value that cannot be used", () => {
  it.each([
    ["http.port=80a", "http.port", "a whole number"],
    ["http.port=-1", "http.port", "a whole number"],
    ["http.port=", "http.port", "a whole number"],
    ["hr.backupKeep=0", "hr.backupKeep", "from 1 to 100"],
    ["hr.backupKeep=101", "hr.backupKeep", "from 1 to 100"],
    ["http.bodyBytes=much", "http.bodyBytes", "64MB"],
    ["http.docs=maybe", "http.docs", "true or false"],
  ])("%s is refused and says what may be", (flag, name, says) => {
    const found = failure(() =>
      new Settings(groups, sources({ flags: [flag] })).of(name.split(".")[0] ?? "", rulesOf(name)),
    );
    expect(found.code).toBe("CONFIG_INVALID");
    expect(found.message).toContain(name);
    expect(found.message).toContain(says);
    expect(found.remedy).toContain("Standard: ");
  });

  it.each(["postgres://me:hunter2@/:bad:", "postgres://me:hunter2@host:port/db", "hunter2\0"])(
    "does not repeat a place, which may hold a password: %j",
    (place) => {
      const given: readonly Partial<SettingSources>[] = [
        { flags: [`hr.to=${place}`] },
        { environment: { MILLRACE_HR_TO: place } },
        { config: config({ hr: { to: place } }) },
        { config: config({ hr: { to: { url: place } } }) },
      ];
      for (const one of given) {
        const { code, message, remedy, at, cause } = failure(() => new Settings(groups, sources(one)).of("hr", hr));
        expect(["CONFIG_INVALID", "URL_INVALID"]).toContain(code);
        expect(JSON.stringify([message, remedy, at, String(cause)])).not.toContain("hunter2");
      }
    },
  );
});

function rulesOf(name: string): typeof hr | typeof http {
  return name.startsWith("hr.") ? hr : http;
}

describe("the data folder", () => {
  it("is the flag's, else the environment's, else beside the project", () => {
    const environment = { MILLRACE_DATA: "/var/lib/millrace" };
    expect(dataFolder("/flag", environment, "/project")).toBe("/flag");
    expect(dataFolder("flag", environment, "/project")).toBe(resolve("flag"));
    expect(dataFolder(undefined, environment, "/project")).toBe("/var/lib/millrace");
    expect(dataFolder(undefined, {}, "/project")).toBe(join("/project", ".millrace"));
  });
});
