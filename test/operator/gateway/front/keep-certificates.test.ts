import { expect } from 'chai';
import {
  AUTHORITY_SECRET,
  type KeepOptions,
  type KeptCertificates,
  keepCertificates,
  renewCertificates,
  SERVING_SECRET,
  type SecretShelf,
} from '../../../../operator/gateway/front/keep-certificates.ts';
import { silentLogger } from '../../../../process/log.ts';
import { ManualClock } from '../../../support/manual-clock.ts';
import { turns, until } from '../../../support/turns.ts';

const DAY_MS = 24 * 60 * 60 * 1000;

class Shelf implements SecretShelf {
  readonly secrets = new Map<string, Readonly<Record<string, string>>>();
  readonly calls: string[] = [];
  /** Runs before a create: another replica may be faster. */
  beforeCreate: () => void = () => {};

  async read(name: string) {
    return this.secrets.get(name);
  }

  async create(name: string, type: string, data: Readonly<Record<string, string>>) {
    this.beforeCreate();
    this.calls.push(`create ${name} ${type}`);
    if (this.secrets.has(name)) return false;
    this.secrets.set(name, data);
    return true;
  }

  async replace(name: string, type: string, data: Readonly<Record<string, string>>) {
    this.calls.push(`replace ${name} ${type}`);
    this.secrets.set(name, data);
  }
}

describe('operator/gateway/front/keep-certificates', () => {
  let shelf: Shelf;
  let clock: ManualClock;
  const options = (externalUrl = 'https://g.example.com'): KeepOptions => ({
    shelf,
    externalUrl,
    namespace: 'ns',
    clock,
    log: silentLogger,
  });
  beforeEach(() => {
    shelf = new Shelf();
    clock = new ManualClock();
  });

  const CREATED = [`create ${AUTHORITY_SECRET} kubernetes.io/tls`, `replace ${SERVING_SECRET} kubernetes.io/tls`];

  it('makes both once, and finds them the next time', async () => {
    const first = await keepCertificates(options());
    const second = await keepCertificates(options());
    expect(second).to.deep.equal(first);
    expect(shelf.calls).to.deep.equal(CREATED);
    expect(shelf.secrets.get(AUTHORITY_SECRET)).to.deep.equal({
      'tls.crt': first.authority.cert,
      'tls.key': first.authority.key,
    });
  });

  it('uses the authority of the replica that was faster', async () => {
    const other = new Shelf();
    await keepCertificates({ ...options(), shelf: other });
    const theirs = other.secrets.get(AUTHORITY_SECRET) ?? {};
    shelf.beforeCreate = () => shelf.secrets.set(AUTHORITY_SECRET, theirs);
    const { authority } = await keepCertificates(options());
    expect(authority.cert).to.equal(theirs['tls.crt']);
    shelf.beforeCreate = () => {};
    expect((await keepCertificates(options())).authority).to.deep.equal(authority);
  });

  const DAMAGED: readonly [string, Record<string, string>][] = [
    ['nothing', {}],
    ['no key', { 'tls.crt': 'x' }],
    ['an empty key', { 'tls.crt': 'x', 'tls.key': '' }],
    ['what is no certificate', { 'tls.crt': 'x', 'tls.key': 'y' }],
  ];
  for (const [what, data] of DAMAGED) {
    it(`says what to do about an authority Secret with ${what}, and does not touch it`, async () => {
      shelf.secrets.set(AUTHORITY_SECRET, data);
      const message = await keepCertificates(options()).catch((error: Error) => error.message);
      expect(message).to.equal(
        'Secret clustertunnel-ca holds no certificate in tls.crt with its private key in tls.key: restore it, or delete it to get a new authority',
      );
      expect(shelf.calls).to.deep.equal([]);
    });

    it(`replaces a serving Secret with ${what}`, async () => {
      shelf.secrets.set(SERVING_SECRET, data);
      await keepCertificates(options());
      expect(shelf.calls).to.deep.equal(CREATED);
      await keepCertificates(options());
      expect(shelf.calls).to.have.length(2);
    });
  }

  it('renews the serving certificate when the external name changes', async () => {
    const first = await keepCertificates(options());
    const second = await keepCertificates(options('https://new.example.com'));
    expect(second.authority).to.deep.equal(first.authority);
    expect(second.serving).to.not.deep.equal(first.serving);
  });

  it('renews the serving certificate when the authority was replaced', async () => {
    const first = await keepCertificates(options());
    shelf.secrets.delete(AUTHORITY_SECRET);
    const second = await keepCertificates(options());
    expect(second.serving).to.not.deep.equal(first.serving);
    expect(await keepCertificates(options())).to.deep.equal(second);
  });

  it('renews the serving certificate in time', async () => {
    const first = await keepCertificates(options());
    clock.advance(59 * DAY_MS);
    expect((await keepCertificates(options())).serving).to.deep.equal(first.serving);
    clock.advance(2 * DAY_MS);
    expect((await keepCertificates(options())).serving).to.not.deep.equal(first.serving);
  });

  it('hands over both twice a day: an authority that was replaced must reach the agents with what it signed', async () => {
    const first = await keepCertificates(options());
    const heard: KeptCertificates[] = [];
    let hear: () => void = () => {};
    const renewal = renewCertificates(options(), (kept) => {
      heard.push(kept);
      hear();
    });
    const look = () =>
      new Promise<void>((resolve) => {
        hear = resolve;
        clock.advance(DAY_MS / 2);
      });
    await look();
    expect(heard).to.deep.equal([first]);
    shelf.secrets.delete(AUTHORITY_SECRET);
    await new Promise(setImmediate);
    await look();
    expect(heard[1]?.authority.cert).not.to.equal(first.authority.cert);
    expect(heard[1]?.authority.cert).to.equal(shelf.secrets.get(AUTHORITY_SECRET)?.['tls.crt']);
    expect(heard[1]?.serving.cert).not.to.equal(first.serving.cert);
    await new Promise(setImmediate);
    renewal.stop();
    expect(clock.pending).to.equal(0);
  });

  it('looks at once when told, once for many changes, and again after a failure', async () => {
    const first = await keepCertificates(options());
    const heard: KeptCertificates[] = [];
    const renewal = renewCertificates(options(), (kept) => heard.push(kept));
    renewal.soon();
    renewal.soon();
    clock.advance(500);
    await until(() => heard.length === 1);
    expect(heard[0]).to.deep.equal(first);
    shelf.secrets.set(AUTHORITY_SECRET, {});
    renewal.soon();
    clock.advance(500);
    await turns(20);
    expect(heard).to.have.length(1);
    shelf.secrets.set(AUTHORITY_SECRET, { 'tls.crt': first.authority.cert, 'tls.key': first.authority.key });
    clock.advance(60_000);
    await until(() => heard.length === 2);
    renewal.soon();
    renewal.stop();
    await turns(20);
    expect(clock.pending).to.equal(0);
  });
});
