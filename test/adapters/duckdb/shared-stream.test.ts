import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { HostProcess } from "./host-process.ts";
import { makeTarget, readQuery, Scene } from "./scene.ts";

let scene: Scene;
let host: HostProcess;
beforeEach(async () => {
  scene = await Scene.open();
  host = new HostProcess();
  await host.share(scene.file);
});
afterEach(async () => {
  await host[Symbol.asyncDispose]();
  await scene[Symbol.asyncDispose]();
});

const manyRows = "select i as id, repeat('x', 2000) as text from range(100000) r(i)";

describe("a long answer", () => {
  it("of 100 000 rows comes whole and in order, while the guest does not grow by its 200 MB", async () => {
    await using reader = new HostProcess();
    // What any answer takes is taken by then.
    await reader.read(scene.file, "select i as id, 'x' as text from range(10) r(i)");
    const { grownBytes, ...answer } = await reader.read(scene.file, manyRows);
    expect(answer).toEqual({ rows: 100_000, inOrder: true, chars: 200_000_000 });
    expect(grownBytes).toBeLessThan(80 * 1024 * 1024);
  }, 60_000);

  it("that nobody takes leaves the connection to others meanwhile", async () => {
    const guest = await scene.opened();
    await guest.prepare(makeTarget());
    const answer = guest.query(manyRows)[Symbol.asyncIterator]();
    await answer.next();
    for (let id = 0; id < 5; id += 1)
      await scene.load(guest, makeTarget(), [{ id, name: "x" }], { end: { row: id + 1 } });
    expect(await readQuery(guest, "select count(*) as n from t")).toEqual([{ n: 5n }]);
    await answer.next();
    await answer.return?.();
    expect(await readQuery(guest, "select max(id) as m from t")).toEqual([{ m: 4 }]);
  });

  it("that is left early, or fails on the way, ends on both sides", async () => {
    const guest = await scene.opened();
    await guest.prepare(makeTarget());
    for await (const rows of guest.query(manyRows)) {
      expect(rows.length).toBeGreaterThan(0);
      break;
    }
    const failing =
      "select case when i = $1 then error('enough') else repeat('x', 2000) end as text from range(100000) r(i)";
    let read = 0;
    const reading = async (): Promise<void> => {
      for await (const rows of guest.query(failing, [90_000])) read += rows.length;
    };
    await expect(reading()).rejects.toThrow("enough");
    expect(read).toBeGreaterThan(0);
    // Nothing holds the file any more: it can be let go.
    await guest.close();
    await host.close(scene.file);
    const own = await scene.opened();
    expect(await readQuery(own, "select count(*) as n from t")).toEqual([{ n: 0n }]);
  });

  it("takes parameters of every kind, and gives every kind of value", async () => {
    const sql = "select $1 as a, $2 as b, $3 as c, $4 as d, $5 as e, [1, null] as list, {'x': 1.5} as struct";
    const rows: unknown[] = [];
    const parameters = [null, true, -0.5, 2n ** 62n, Uint8Array.from([1, 0, 255])];
    for await (const some of scene.make().query(sql, parameters)) rows.push(...some);
    expect(rows).toMatchObject([{ a: null, b: true, c: -0.5, d: 2n ** 62n, list: [1, null], struct: { x: "1.5" } }]);
    expect([...(rows[0] as { e: Uint8Array }).e]).toEqual([1, 0, 255]);
  });
});
