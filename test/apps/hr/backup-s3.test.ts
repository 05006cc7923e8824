import { beforeAll, expect, it } from "vitest";
import { employeesCsv } from "../../../scripts/sample-data.ts";
import { describeWith } from "../../servers/not-run.ts";
import { requestS3, type S3Server, startS3 } from "../../servers/s3.ts";
import { backUp, backupsOf, hiredRows, restore, uploadHired } from "./backups.ts";
import { hiredLines } from "./hired.ts";
import { serving } from "./places.ts";
import { admin } from "./service.ts";

describeWith("s3", "a backup in S3", () => {
  let s3: S3Server;
  beforeAll(async () => {
    s3 = await startS3();
    return () => s3.stop();
  });
  const hr = serving(() => {
    const { accessKey, secretKey, bucket, endpoint } = s3;
    const place = `s3://${accessKey}:${secretKey}@${bucket}/spare/hr?endpoint=${endpoint}`;
    return { settings: () => ({ "hr.backup": place }), secrets: [secretKey] };
  });

  it("brings back identical rows, by version too", async () => {
    await uploadHired(hr(), employeesCsv({ rows: 500, bad: 0 }));
    const before = await hiredRows(hr());
    const older = await backUp(hr(), "hired_employees");
    await uploadHired(hr(), hiredLines(400, 200));
    const changed = await hiredRows(hr());
    await backUp(hr(), "hired_employees");
    await uploadHired(hr(), hiredLines(9000, 5));
    expect((await restore(hr(), "hired_employees", older.version)).status).toBe(200);
    expect(await hiredRows(hr())).toEqual(before);
    expect((await restore(hr(), "hired_employees")).status).toBe(200);
    expect(await hiredRows(hr())).toEqual(changed);
    expect((await backupsOf(hr())).map(({ rows }) => rows)).toEqual([changed.length, 500]);
  });

  it("lies under the prefix", async () => {
    const listing = await requestS3(s3, "GET", `/${s3.bucket}?list-type=2`);
    const keys = [...listing.matchAll(/<Key>([^<]+)<\/Key>/g)].map((match) => match[1] ?? "");
    expect(keys.length).toBeGreaterThan(0);
    expect(keys.filter((key) => !key.startsWith("spare/hr/"))).toEqual([]);
    for (const ending of [".parquet", ".avro"]) expect(keys.some((key) => key.endsWith(ending))).toBe(true);
  });

  it("that is damaged changes nothing", async () => {
    const listing = await requestS3(s3, "GET", `/${s3.bucket}?list-type=2`);
    for (const [, key = ""] of listing.matchAll(/<Key>([^<]+\.(?:parquet|avro))<\/Key>/g)) {
      await requestS3(s3, "PUT", `/${s3.bucket}/${key}`, "something else");
    }
    const rows = await hiredRows(hr());
    await uploadHired(hr(), hiredLines(9500, 5));
    expect((await restore(hr(), "hired_employees")).status).toBeGreaterThanOrEqual(400);
    expect(await hr().count("hired_employees")).toBe(rows.length + 5);
  });

  it("is not to be had while the server is away: it is said, nothing changes, and it comes back", async () => {
    const rows = await hr().count("hired_employees");
    await s3.halt();
    const [, restored] = await Promise.all([
      hr().request("/backup?table=jobs", { method: "POST", who: admin, withinMs: 25_000 }),
      hr().request("/restore?table=jobs", { method: "POST", who: admin, withinMs: 25_000 }),
    ]);
    expect(restored.status).toBeGreaterThanOrEqual(400);
    expect(await hr().count("hired_employees")).toBe(rows);
    await s3.start();
    await expect
      .poll(async () => (await hr().request("/backups", { who: admin })).status, { timeout: 10_000 })
      .toBe(200);
  });
});
