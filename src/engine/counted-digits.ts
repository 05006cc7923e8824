const zero = 48;

/** Writes the sum of a number and small ones that ascend: to count digits up is cheaper than to make texts of bigints. */
export class CountedDigits {
  #digits: Uint8Array;
  #added = 0;

  constructor(first: bigint) {
    this.#digits = Buffer.from(first.toString());
  }

  /** Where the next byte goes. `added` is not less than the last time. */
  write(added: number, to: Uint8Array, at: number): number {
    this.#add(added - this.#added);
    this.#added = added;
    const digits = this.#digits;
    for (let place = 0; place < digits.length; place += 1) to[at + place] = digits[place] as number;
    return at + digits.length;
  }

  #add(count: number): void {
    for (let carry = count, place = this.#digits.length - 1; carry > 0; place -= 1) {
      if (place < 0) {
        this.#digits = Buffer.concat([Buffer.from("0"), this.#digits]);
        place = 0;
      }
      const sum = (this.#digits[place] as number) - zero + carry;
      this.#digits[place] = zero + (sum % 10);
      carry = Math.floor(sum / 10);
    }
  }
}
