import { expect } from 'chai';
import { UNSAID_ACCESS } from '../../crds/access-settings.ts';
import { UNCERTAIN_MS } from '../../operator/gateway/front/long-streams.ts';
import { bytesOf, type Client, PROTOCOLS, SETTINGS, TOKENS } from '../support/gateway-fixture.ts';
import { until } from '../support/turns.ts';
import { nextText, WholePath } from './whole-path.ts';

const PODS = '/clusters/c1/api/v1/namespaces/default/pods';
/** The fixture's dice fall in the middle: 300 s less a tenth. */
const EVERY_MS = 270_000;
const SOON_MS = 15_000;

describe('tunnel-path/long-streams', function () {
  this.timeout(60_000);
  let path: WholePath;
  let reviews: number;
  let verdict: () => Promise<unknown>;

  beforeEach(async () => {
    path = await WholePath.start();
    reviews = 0;
    verdict = async () => TOKENS['alice'];
    path.gateway.reviewToken = () => {
      reviews += 1;
      return verdict();
    };
    path.upstream.answer = (_, response) => {
      response.flushHeaders();
      response.write('first\n');
    };
  });
  afterEach(() => path.stop());

  const open = async (client: Client, url: string) => {
    const { body, status } = await client.call({ path: url }).answer;
    expect(status).to.equal(200);
    expect(await nextText(body)).to.equal('first\n');
    return body;
  };
  /** Whether the body ended as a whole one does. */
  const ending = (body: Parameters<typeof bytesOf>[0]['body']) =>
    bytesOf({ body }).then(
      () => 'clean',
      () => 'cut',
    );
  const isGone = () => until(() => path.upstream.received.every(({ isAborted }) => isAborted));

  for (const protocol of PROTOCOLS) {
    describe(`over ${protocol}`, () => {
      let client: Client;
      beforeEach(() => {
        client = path.gateway.client(protocol);
      });

      it('go on while their user is who he was, and are asked about every 5 minutes', async () => {
        const body = await open(client, `${PODS}?watch=true`);
        expect(reviews).to.equal(1);
        for (let at = 2; at <= 4; at++) {
          await path.gateway.pass(EVERY_MS);
          await until(() => reviews === at);
        }
        let isOver = false;
        void ending(body).then(() => {
          isOver = true;
        });
        await path.gateway.pass(5_000);
        expect(isOver).to.equal(false);
        client.close();
        await isGone();
      });

      for (const [what, url, end] of [
        ['a watch', `${PODS}?watch=true`, 'clean'],
        ['a log', `${PODS}/web/log?follow=true`, 'cut'],
      ] as const) {
        it(`${what} ends when its token is nobody’s any more: ${end}, and at the target too`, async () => {
          const over = ending(await open(client, url));
          verdict = async () => ({ authenticated: false });
          await path.gateway.pass(EVERY_MS);
          expect(await over).to.equal(end);
          await isGone();
        });
      }

      it('end when their user is somebody else at the target now', async () => {
        const over = ending(await open(client, `${PODS}?watch=true`));
        verdict = async () => ({ authenticated: true, user: { username: 'alice', uid: 'u-1', groups: [] } });
        await path.gateway.pass(EVERY_MS);
        expect(await over).to.equal('clean');
        await isGone();
      });

      it('go on when their extras are told in another order, and end when they are others', async () => {
        const access = { ...UNSAID_ACCESS, extras: ['team', 'scopes'] };
        path.gateway.addTunnel('c1', { settings: { ...SETTINGS, generation: 2, access } });
        path.gateway.gateway.tunnelChanged('c1');
        await until(() => path.agent.limits.current.generation === 2);
        const known = (extra: object) => async () => ({ authenticated: true, user: { username: 'jane', extra } });
        verdict = known({ team: ['a', 'b'], scopes: ['x'], other: ['1'] });
        let isOver = false;
        const over = ending(await open(client, `${PODS}?watch=true`)).finally(() => {
          isOver = true;
        });
        verdict = known({ scopes: ['x'], other: ['2'], team: ['b', 'a'] });
        await path.gateway.pass(EVERY_MS);
        await until(() => reviews === 2);
        verdict = known({ scopes: ['x'], team: ['b', 'c'] });
        expect(isOver).to.equal(false);
        await path.gateway.pass(EVERY_MS);
        expect(await over).to.equal('clean');
        expect(reviews).to.equal(3);
        await isGone();
      });

      it('end when the hub’s RBAC allows them no more', async () => {
        const over = ending(await open(client, `${PODS}/web/log?follow=true`));
        path.gateway.reviewAccess = async () => ({ allowed: false });
        await path.gateway.pass(EVERY_MS);
        expect(await over).to.equal('cut');
        await isGone();
      });
    });
  }

  it('an exec is cut, at both ends', async () => {
    const client = await path.upgrade();
    expect(client.head).to.match(/^HTTP\/1\.1 101 /);
    const upgraded = await path.upstream.upgraded();
    verdict = async () => ({ authenticated: false });
    await path.gateway.pass(EVERY_MS);
    await until(() => client.hasEnded && upgraded.hasEnded);
    client.reset();
  });

  it('go on for 15 minutes while the hub cannot say, and no longer', async () => {
    const over = ending(await open(path.gateway.client('h2'), `${PODS}?watch=true`));
    let isOver = false;
    void over.then(() => {
      isOver = true;
    });
    verdict = () => Promise.reject(new Error('HTTP 500'));
    await path.gateway.pass(UNCERTAIN_MS - 30_000);
    expect(isOver).to.equal(false);
    expect(reviews).to.be.above(10);
    await path.gateway.pass(60_000);
    expect(await over).to.equal('clean');
    await isGone();
  });

  it('go on when the hub can say again in time', async () => {
    const client = path.gateway.client('h2');
    const over = ending(await open(client, `${PODS}?watch=true`));
    verdict = () => Promise.reject(new Error('HTTP 500'));
    await path.gateway.pass(600_000);
    verdict = async () => TOKENS['alice'];
    await path.gateway.pass(900_000);
    verdict = async () => ({ authenticated: false });
    const before = reviews;
    await path.gateway.pass(EVERY_MS);
    expect(await over).to.equal('clean');
    expect(reviews).to.equal(before + 1);
  });

  for (const [what, change] of [
    ['suspended', { isSuspended: true }],
    ['being deleted', { isDeleting: true }],
    ['read-only now', { settings: { ...SETTINGS, access: { ...UNSAID_ACCESS, readOnly: true } } }],
  ] as const) {
    it(`those of a tunnel that is ${what} end within 15 s`, async () => {
      const client = await path.upgrade();
      expect(client.head).to.match(/^HTTP\/1\.1 101 /);
      path.gateway.addTunnel('c1', change);
      path.gateway.gateway.tunnelChanged('c1');
      await path.gateway.pass(SOON_MS);
      await until(() => client.hasEnded);
      client.reset();
    });
  }

  it('those of a tunnel whose limits changed are not asked about', async () => {
    const client = path.gateway.client('h2');
    await open(client, `${PODS}?watch=true`);
    path.gateway.addTunnel('c1', { settings: { ...SETTINGS, generation: 2 } });
    path.gateway.gateway.tunnelChanged('c1');
    await path.gateway.pass(SOON_MS);
    expect(reviews).to.equal(1);
    client.close();
    await isGone();
  });

  it('leave no timer behind', async () => {
    const clients = PROTOCOLS.map((protocol) => path.gateway.client(protocol));
    const before = path.gateway.clock.pending;
    for (const client of clients) await open(client, `${PODS}?watch=true`);
    for (const client of clients) client.close();
    await isGone();
    await path.quiet();
    await until(() => path.gateway.clock.pending <= before);
  });
});
