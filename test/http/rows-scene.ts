import {
  addTableRoutes,
  application,
  type Application,
  bigint,
  boolean,
  date,
  decimal,
  double,
  integer,
  json,
  setting,
  table,
  text,
  timestamp,
  uuid,
  type Warehouse,
} from "../../src/index.ts";
import { basic, ServedScene } from "./scene.ts";

export const things = table("things", {
  id: integer().key(),
  name: text().maxLength(20),
  big: bigint().nullable(),
  ratio: double().nullable(),
  price: decimal(12, 2).nullable(),
  isOpen: boolean().nullable(),
  day: date("%d.%m.%Y").nullable(),
  at: timestamp("%d.%m.%Y %H:%M").nullable(),
  code: uuid().nullable(),
  more: json().nullable(),
});

export const pairs = table("pairs", { left: text().key(), right: integer().key(), note: text().nullable() });

export const ada = {
  ...{ id: 1, name: "Ada", big: "9007199254740993", ratio: 0.5, price: "12.50", isOpen: true, day: "2024-02-29" },
  ...{ at: "2024-02-29T12:30:00", code: "7f0c1c9e-27f1-4d4b-9a0e-0f7c35fbb111", more: { a: [1, null, "é"] } },
};

/** An application of nothing but tables. */
const keeper = (opened: (warehouse: Warehouse) => void): Application =>
  application({
    name: "keeper",
    about: "tables for tests",
    settings: { to: setting.place("duckdb:{data}/keeper.duckdb", "where the tables are") },
    contracts: [things, pairs],
    async open(context) {
      const warehouse = await context.warehouse(context.settings.to, [things, pairs]);
      opened(warehouse);
      return { routes: (app) => addTableRoutes(app, { warehouse, changed: () => undefined }) };
    },
  });

/** A service that has the tables in a place, with ada who may write and rea who may read. */
export class RowsScene implements AsyncDisposable {
  readonly served: ServedScene;

  readonly warehouse: Warehouse;

  private constructor(served: ServedScene, warehouse: Warehouse) {
    this.served = served;
    this.warehouse = warehouse;
  }

  static async open(to?: string): Promise<RowsScene> {
    const place = to === undefined ? [] : [`keeper.to=${to}`];
    const opened: Warehouse[] = [];
    const served = await ServedScene.open([keeper((one) => opened.push(one))], "http.rateLimit=0", ...place);
    await served.addUser("ada", "writer");
    await served.addUser("rea", "reader");
    const [warehouse] = opened;
    if (warehouse === undefined) throw new Error("the application was not opened");
    return new RowsScene(served, warehouse);
  }

  async ask(
    method: string,
    path: string,
    body?: unknown,
    headers: Readonly<Record<string, string>> = basic("ada"),
  ): Promise<Told> {
    const sent = body === undefined ? {} : { body: JSON.stringify(body) };
    const type = body === undefined ? {} : { "content-type": "application/json" };
    const url = `${this.served.server.url}${path}`;
    const response = await fetch(url, { method, headers: { ...type, ...headers }, ...sent });
    const said = await response.text();
    const isJson = response.headers.get("content-type")?.startsWith("application/json") === true;
    return {
      status: response.status,
      headers: response.headers,
      text: said,
      body: isJson ? (JSON.parse(said) as unknown) : undefined,
    };
  }

  async ids(query: string): Promise<unknown> {
    const { body, status, text } = await this.ask("GET", `/tables/things/rows?${query}`);
    if (status !== 200) throw new Error(`${query}: ${status} ${text}`);
    return (body as { readonly id: number }[]).map(({ id }) => id);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.served[Symbol.asyncDispose]();
  }
}

export interface Told {
  readonly status: number;
  readonly headers: Headers;
  readonly text: string;
  readonly body: unknown;
}
