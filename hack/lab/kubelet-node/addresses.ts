import { createHash } from 'node:crypto';
import { networkInterfaces } from 'node:os';

/** Where one node and its pods are, seen from this machine and from inside. */
export interface NodeAddresses {
  /** This machine's end of the cable: API servers and the gateway listen here. */
  readonly host: string;
  /** The node's end: its kubelet listens here. */
  readonly node: string;
  readonly prefixBits: number;
  readonly podRange: string;
  /** The name of this machine's end. */
  readonly link: string;
}

/** 10.192.0.0/16 and upwards: rarely anybody's, and not the Services' 10.96.0.0/16. */
const [FIRST, COUNT] = [192, 60];

/** The addresses of the node with this index in a lab. `second` is the second byte of all of the lab's addresses. */
export function nodeAddresses(labId: string, second: number, index: number): NodeAddresses {
  return {
    host: `10.${second}.${index}.1`,
    node: `10.${second}.${index}.2`,
    prefixBits: 30,
    podRange: `10.${second}.${128 + index}.0/24`,
    link: `ct-${labId.slice(0, 6)}-${index}`,
  };
}

/** A second byte that nobody on this machine uses yet. Labs of other folders begin to look elsewhere, so two that start at once do not meet. */
export function freeSecondByte(labId: string, taken: readonly string[] = ownAddresses()): number {
  const first = Number.parseInt(labId.slice(0, 6), 16) % COUNT;
  for (let step = 0; step < COUNT; step++) {
    const second = FIRST + ((first + step) % COUNT);
    if (!taken.some((address) => address.startsWith(`10.${second}.`))) return second;
  }
  throw new Error(
    `This machine has addresses in all of 10.${FIRST}.0.0 to 10.${FIRST + COUNT - 1}.0.0: there is no room for a lab.`,
  );
}

/** Of a lab, after its folder: part of the names it leaves on the machine while it runs. */
export function labIdOf(folder: string): string {
  return createHash('sha256').update(folder).digest('hex').slice(0, 12);
}

function ownAddresses(): string[] {
  return Object.values(networkInterfaces()).flatMap((addresses = []) => addresses.map(({ address }) => address));
}
