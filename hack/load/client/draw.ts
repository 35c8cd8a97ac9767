import { pick, type Random } from '../../fuzz/random.ts';

/** What a user does next. Sizes in bytes. */
export interface Operation {
  readonly method: string;
  readonly holdMs: number;
  readonly requestBytes: number;
  readonly answerBytes: number;
  readonly isUnsized: boolean;
  readonly parts: number;
  readonly pauseMs: number;
  readonly isSized: boolean;
  readonly isWatch: boolean;
  /** Of something else than configmaps, without a query. */
  readonly path?: string;
  /** Between two chunks of the body of the answer; none unless told. */
  readonly dripMs?: number;
  /** How fast its user takes the answer; as fast as it comes unless told. */
  readonly bytesPerSecond?: number;
}

/** Each below its percentage: two thirds change something, as no cluster sees it and as a fault finds most to break. */
const METHODS: readonly (readonly [method: string, below: number])[] = [
  ['POST', 45],
  ['PUT', 53],
  ['PATCH', 61],
  ['DELETE', 67],
  ['GET', 100],
];

/** Pure: the same random numbers, the same operation. */
export function drawOperation(random: Random): Operation {
  const method = drawMethod(random(100));
  const isRead = method === 'GET';
  return {
    method,
    holdMs: isRead ? random(50) : drawHold(random),
    requestBytes: isRead ? 0 : drawBody(random, method),
    answerBytes: isRead ? drawSize(random) : 100 + random(3_000),
    isUnsized: random(2) === 0,
    parts: 1 + random(4),
    pauseMs: random(15),
    isSized: random(2) === 0,
    isWatch: false,
  };
}

/** One that a user follows until he leaves. */
export const WATCH: Operation = {
  method: 'GET',
  holdMs: 0,
  requestBytes: 0,
  answerBytes: 0,
  isUnsized: true,
  parts: 1,
  pauseMs: 0,
  isSized: true,
  isWatch: true,
};

function drawMethod(percent: number): string {
  return METHODS.find(([, below]) => percent < below)?.[0] ?? 'GET';
}

/** Some answers come at once; most let a fault come first. */
function drawHold(random: Random): number {
  return random(10) < 3 ? 0 : 20 + random(480);
}

function drawBody(random: Random, method: string): number {
  if (method === 'DELETE') return random(2) * random(200);
  return Math.floor(
    (pick([0, 0, 0, 100, 1_000, 4_000, 4_000, 16_000, 64_000, 256_000], random) * (1 + random(100))) / 100,
  );
}

function drawSize(random: Random): number {
  return Math.floor((pick([1_000, 1_000, 1_000, 4_000, 30_000, 64_000, 500_000], random) * (1 + random(100))) / 100);
}
