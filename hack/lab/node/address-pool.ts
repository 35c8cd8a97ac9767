/** The addresses of one /16 on the loopback: 127.<network>.0.2 and up. Freed ones come back last, so a late packet meets nobody new. */
export class AddressPool {
  readonly #network: number;
  readonly #taken = new Set<string>();
  #next = 2;

  constructor(network: number) {
    this.#network = network;
  }

  /** @throws RangeError if all are taken */
  take(): string {
    for (let tries = 0; tries < ADDRESSES; tries++) {
      const address = this.#addressAt(this.#next);
      this.#next = this.#next + 1 >= ADDRESSES ? 2 : this.#next + 1;
      if (this.#taken.has(address)) continue;
      this.#taken.add(address);
      return address;
    }
    throw new RangeError(`all addresses of 127.${this.#network}.0.0/16 are taken`);
  }

  release(address: string): void {
    this.#taken.delete(address);
  }

  #addressAt(index: number): string {
    return `127.${this.#network}.${index >> 8}.${index & 0xff}`;
  }
}

/** 127.n.255.255 looks like a broadcast address: not given out. */
const ADDRESSES = 0xffff;
