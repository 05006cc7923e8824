/** Models that a vehicle may be, as the fleet's table knows them. */
const models = ["Maverick", "Escape", "F-150", "Explorer", "Mustang", "Bronco", "Edge", "Expedition"] as const;
const make = "Ford";

/** Largest velocity along each axis, in units per second. */
const velocityMax = { x: 2, y: 4, z: 100 } as const;

const vinChars = "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789";
const vinLength = 17;

/** A vehicle that moves on a straight line at a velocity that is drawn once. */
export class Vehicle {
  readonly vin: string;
  readonly #model: string;
  readonly #velocity: { readonly x: number; readonly y: number; readonly z: number };
  readonly #speed: number;
  readonly #startedMs: number;

  /** `random` gives numbers in [0, 1); `nowMs` is the time since 1970 at which it stands at the origin. */
  constructor(random: () => number, nowMs: number) {
    const draw = <Item>(items: ArrayLike<Item>): Item => items[Math.floor(random() * items.length)] as Item;
    this.vin = Array.from({ length: vinLength }, () => draw(vinChars)).join("");
    this.#model = draw(models);
    const { x, y, z } = velocityMax;
    this.#velocity = { x: x * random(), y: y * random(), z: z * random() };
    this.#speed = Math.hypot(this.#velocity.x, this.#velocity.y, this.#velocity.z);
    this.#startedMs = nowMs;
  }

  /** The event of this moment as a form, its fields in the order that the fleet's server has always been sent. */
  event(nowMs: number): string {
    const elapsed = (nowMs - this.#startedMs) / 1_000;
    const { x, y, z } = this.#velocity;
    return new URLSearchParams([
      ["timestamp", String(nowMs / 1_000)],
      ["make", make],
      ["model", this.#model],
      ["position_x", String(x * elapsed)],
      ["position_y", String(y * elapsed)],
      ["position_z", String(z * elapsed)],
      ["speed", String(this.#speed)],
      ["vin", this.vin],
    ]).toString();
  }
}
