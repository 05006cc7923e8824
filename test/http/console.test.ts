import { type Browser, chromium, type Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { applications } from "../../apps/index.ts";
import { departmentsCsv, employeesCsv, jobsCsv } from "../../scripts/sample-data.ts";
import { CHROMIUM_FLAGS, findChromium } from "../servers/chromium.ts";
import { describeWith } from "../servers/not-run.ts";
import { basic, password, ServedScene } from "./scene.ts";

describeWith("chromium", "the console in a browser", () => {
  let scene: ServedScene;
  let browser: Browser;
  let page: Page;
  /** What the browser complains of. */
  const complaints: string[] = [];

  beforeAll(async () => {
    scene = await ServedScene.open(applications, "http.rateLimit=0");
    await scene.addUser("ada", "admin");
    for (const [name, text] of [
      ["departments.csv", departmentsCsv()],
      ["jobs.csv", jobsCsv()],
    ] as const) {
      const body = new FormData();
      body.append("file", new Blob([text]), name);
      expect((await scene.post("/upload", { body, headers: basic("ada") })).status).toBe(200);
    }
    browser = await chromium.launch({ executablePath: findChromium() ?? "", args: CHROMIUM_FLAGS });
    page = await browser.newPage();
    page.on("console", (message) => message.type() === "error" && complaints.push(message.text()));
    page.on("pageerror", (error) => complaints.push(error.message));
  }, 60_000);

  afterAll(async () => {
    await browser.close();
    await scene[Symbol.asyncDispose]();
  });

  it("shows that the service is ready, and its pipelines", async () => {
    await page.goto(scene.server.url);
    await page.getByText("ready", { exact: true }).waitFor();
    await page.getByText("hr:inbox:jobs").waitFor();
  });

  it("uploads a file, says what failed, and shows the insight anew", async () => {
    const buffer = Buffer.from(employeesCsv({ rows: 900, bad: 30 }));
    await page.setInputFiles("#upload-file", { name: "hired_employees.csv", mimeType: "text/csv", buffer });
    await page.fill("#username", "ada");
    await page.fill("#password", password);
    await page.click("#upload-form button");
    await page.getByText("900 records: 870 inserted, 0 merged, 30 failed.").waitFor();
    expect(await page.locator("#upload-errors tbody tr").count()).toBeGreaterThanOrEqual(30);
    await page.selectOption("#insight-name", "HIRES_DEPARTMENT_JOB");
    await page.locator("#insight-table th", { hasText: "q4" }).waitFor();
    expect(await page.locator("#insight-chart i").count()).toBe(15);
  });

  it("lists backups for those who may see them, and says so to others", async () => {
    expect((await scene.post("/backup?table=jobs", { headers: basic("ada") })).status).toBe(200);
    await page.click("#backups-list");
    await page.locator("#backups-table td", { hasText: "complete" }).waitFor();
    expect(complaints).toEqual([]);
    await page.fill("#password", "another one");
    await page.click("#backups-list");
    await page.getByText("Incorrect username or password").waitFor();
  });

  it("shows the routes, to be tried", async () => {
    complaints.length = 0;
    await page.goto(new URL("/docs", scene.server.url).href);
    await page.locator('.opblock-summary-path[data-path="/upload"]').waitFor();
    expect(complaints).toEqual([]);
  });
});

describe("the console", () => {
  it("is served without a browser being there to look at it", async () => {
    await using scene = await ServedScene.open([]);
    for (const name of ["console.js", "console.css"]) expect((await scene.get(`/console/${name}`)).status).toBe(200);
  });
});
