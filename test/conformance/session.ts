import { describeAbuse } from './abuse.ts';
import { describeCompression } from './compression.ts';
import { describeCredit } from './credit.ts';
import { describeExchange } from './exchange.ts';
import { describeFarewell } from './farewell.ts';
import { describeHandshake } from './handshake.ts';
import type { Line } from './harness.ts';
import { describeOrder } from './order.ts';

export interface SessionConformance {
  readonly name: string;
  /** A fresh line for one test. */
  readonly pair: () => Promise<Line>;
}

/** Everything both ends of a session owe each other, whatever carries their messages. */
export function sessionConformance({ name, pair }: SessionConformance): void {
  describe(`conformance/session over ${name}`, () => {
    describeHandshake(pair);
    describeExchange(pair);
    describeCredit(pair);
    describeFarewell(pair);
    describeAbuse(pair);
    describeOrder(pair);
    describeCompression(pair);
  });
}
