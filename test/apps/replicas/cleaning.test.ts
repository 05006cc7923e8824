import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, it } from "vitest";
import { ReplicasScene } from "./scene.ts";

/** As Python prints dicts, with what makes them no JSON. */
const addresses: readonly (readonly [text: string, state: string, city: string])[] = [
  [`{'city': "Lee's Summit ", 'state': 'US-MO', 'country': 'USA', 'postCode': '64063'}`, "Missouri", "Lee's Summit"],
  [`{'city': 'Fresno', 'state': 'Ca', 'country': 'USA', 'postCode': '93650', 'unit': None}`, "California", "Fresno"],
  [`{"city": "Austin", "state": "Texas", "country": "USA", "postCode": "73301"}`, "Texas", "Austin"],
  [`{'city': 'O\\'Fallon', 'state': 'IL', 'country': 'USA', 'postCode': '62269'}`, "Illinois", "O'Fallon"],
  [`{'city': 'Lyon', 'state': 'Rhone', 'country': 'France', 'postCode': '69001'}`, "US-OUT", "Lyon"],
];

it("a users file of 5000 rows with dicts of Python gives the answers that are known of it", async () => {
  await using scene = await ReplicasScene.open("replicas.mailTo=example.org");
  const quoted = (text: string): string => `"${text.replaceAll('"', '""')}"`;
  const line = (row: number): string =>
    `${100 + row},${quoted(addresses[row % 5]?.[0] ?? "")},2022-02-22 10:${10 + (row % 50)}:00`;
  await scene.write(
    "users.csv",
    ["id,address,inserted_at", ...Array.from({ length: 5000 }, (_, row) => line(row)), ""].join("\n"),
  );
  await scene.announce("users.csv", { prim_index: "ID" });
  await scene.load("?email=ada@example.org");
  const rows = (await scene.rows("users")) as Readonly<Record<string, readonly [string, string]>>;
  expect(Object.keys(rows)).toHaveLength(5000);
  const wrong = Object.entries(rows).filter(([key, [text]]) => {
    const [, state, city] = addresses[(Number(key) - 100) % 5] ?? [];
    const found = JSON.parse(text) as Readonly<Record<string, unknown>>;
    return found["state"] !== state || found["city"] !== city;
  });
  expect(wrong.slice(0, 3)).toEqual([]);
  expect(await scene.text("/getReplicaColumns", "?replica=users")).toBe('["id","address","inserted_at"]');
  const folder = join(scene.served.data, "mail");
  const mail = readFileSync(join(folder, readdirSync(folder)[0] ?? ""), "utf8");
  for (const said of [
    "Shape: [5000, 3]",
    "Columns of one value: none",
    "Columns that are double: none",
    "Missing values: none",
  ]) {
    expect(mail).toContain(said);
  }
}, 60_000);

it("what is missing is filled, what is no JSON stays, and a row without a key is refused", async () => {
  await using scene = await ReplicasScene.open();
  await scene.write(
    "t.csv",
    "id,n,name,when,doc\n1,10,a,2022-02-22,{'a': 1}\n2,,,2022-02-24,{broken\n,7,b,2022-02-24,\n3,20,c,2022-02-25,[1]\n",
  );
  await scene.announce("t.csv", { prim_index: "id" });
  await scene.load();
  expect(await scene.rows("t")).toEqual({
    1: [10, "a", "2022-02-22", '{"a":1}'],
    2: [15, "", "2022-02-24", "{broken"],
    3: [20, "c", "2022-02-25", "[1]"],
  });
}, 60_000);
