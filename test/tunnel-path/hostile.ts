import { expect } from 'chai';
import { valuesOf } from '../support/stub-upstream.ts';
import { turns, until } from '../support/turns.ts';
import { ALICE, identityIn, upgradeRequest, type WholePath } from './whole-path.ts';

/** A credential of the hub that no other text of a test holds. */
export const HUB_TOKEN = 'hub.credential.of.alice';
export const PODS = '/clusters/c1/api/v1/namespaces/default/pods';

/** One hostile input: its bytes, and what must become of it. */
export interface Hostile {
  /** What it does, as a sentence's end. */
  readonly what: string;
  /** The whole request. */
  readonly bytes: string;
  /** Of each answer, in order; none: the connection is cut. */
  readonly answers: readonly number[];
  /** What arrives: how many requests, each of them as alice. */
  readonly arriving: number;
}

/** A request head of HTTP/1.1 that ends its connection. */
export function head(target: string, lines: readonly string[] = [], method = 'GET'): string {
  const all = ['Host: gateway', `Authorization: Bearer ${HUB_TOKEN}`, 'Connection: close', ...lines];
  return `${method} ${target} HTTP/1.1\r\n${all.join('\r\n')}\r\n\r\n`;
}

/** A request to switch protocols. */
export function upgrade(lines: readonly string[], asking: Parameters<typeof upgradeRequest>[0] = {}): string {
  return upgradeRequest({ ...asking, lines }).replace('Bearer alice', `Bearer ${HUB_TOKEN}`);
}

/** The hub knows HUB_TOKEN as alice. */
export function knowAlice({ gateway }: WholePath): void {
  gateway.reviewToken = async (token) =>
    token === HUB_TOKEN
      ? { authenticated: true, user: { username: 'alice', uid: 'u-1', groups: ['dev', 'system:authenticated'] } }
      : { authenticated: false };
}

/** Sends it, and holds against what the client was told what the target saw. */
export async function expectHarmless(path: WholePath, { bytes, answers, arriving }: Hostile): Promise<void> {
  const raw = await path.gateway.raw('http/1.1', { allowHalfOpen: true });
  raw.write(bytes);
  await until(() => raw.hasEnded || statusesIn(raw.text).length >= Math.max(answers.length, 1));
  await turns();
  expect(statusesIn(raw.text), raw.text.slice(0, 500)).to.deep.equal(answers);
  raw.reset();
  await path.quiet();
  expectAlice(path, arriving);
}

/** The target saw so many requests, all of alice's and none with a credential of hers. */
export function expectAlice({ upstream }: WholePath, arriving: number): void {
  const heads = [...upstream.received, ...upstream.upgrades].map(({ rawHeaders }) => rawHeaders);
  expect(heads.length, 'requests at the target').to.equal(arriving);
  for (const rawHeaders of heads) {
    expect(identityIn(rawHeaders)).to.deep.equal(ALICE);
    expect(valuesOf(rawHeaders, 'host')).to.deep.equal([new URL(upstream.url).host]);
  }
  const seen = JSON.stringify([upstream.received, upstream.upgrades.map(({ rawHeaders, text }) => [rawHeaders, text])]);
  expect(seen).to.not.include(HUB_TOKEN).and.not.include(Buffer.from(HUB_TOKEN).toString('base64url'));
}

/** Status codes of the answers in a connection's bytes. */
export function statusesIn(text: string): number[] {
  return [...text.matchAll(/^HTTP\/1\.1 (\d{3}) /gm)].map(([, status]) => Number(status));
}
