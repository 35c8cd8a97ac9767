import { once } from 'node:events';
import { gzipSync } from 'node:zlib';
import { expect } from 'chai';
import type { CompressionSettings } from '../../crds/agent-settings.ts';
import { bytesOf, type Client, PROTOCOLS, SETTINGS } from '../support/gateway-fixture.ts';
import { podList } from '../support/pod-list.ts';
import { valuesOf } from '../support/stub-upstream.ts';
import { until } from '../support/turns.ts';
import { WholePath } from './whole-path.ts';

const PODS = '/clusters/c1/api/v1/pods';
const SECRETS = '/clusters/c1/api/v1/namespaces/default/secrets';
const SLOW_BYTES_PER_SECOND = 1_000_000;
const LIST = podList(5_000_000);
const JSON_HEAD = { 'content-type': 'application/json' };

describe('tunnel-path/compression', function () {
  this.timeout(60_000);
  let path: WholePath;

  beforeEach(async () => {
    path = await WholePath.start();
    path.agent.bytesPerSecond = SLOW_BYTES_PER_SECOND;
    // In chunks and without a length, as the API server does.
    path.upstream.answer = (_, response) => response.writeHead(200, JSON_HEAD).end(LIST);
  });
  afterEach(async () => {
    await path.stop();
    expect(path.agent.deflating, 'deflaters').to.equal(0);
  });

  /** The spec changes, and the running agent knows. */
  const change = async (compression: CompressionSettings) => {
    const view = path.gateway.views.get('c1');
    if (view === undefined) throw new Error('no tunnel');
    const generation = view.settings.generation + 1;
    path.gateway.views.set('c1', { ...view, settings: { ...view.settings, generation, compression } });
    path.gateway.gateway.tunnelChanged('c1');
    await until(() => path.agent.limits.current.generation === generation);
  };
  const bodyOf = async (client: Client, where: string, headers: Record<string, string> = {}) => {
    const answer = await client.call({ path: where, headers }).answer;
    return { ...answer, bytes: await bytesOf(answer) };
  };

  for (const protocol of PROTOCOLS) {
    describe(`over ${protocol}`, () => {
      let client: Client;

      beforeEach(() => {
        client = path.gateway.client(protocol);
      });

      it('a long list comes byte for byte, and a small part of it is on the wire', async () => {
        const { bytes, headers } = await bodyOf(client, PODS);
        expect(bytes.equals(LIST)).to.equal(true);
        expect(headers).to.include(JSON_HEAD);
        expect(headers).to.not.have.any.keys('content-encoding', 'vary');
        await until(() => path.agent.deflated.length > 0);
        const [counted] = path.agent.deflated;
        expect(counted?.plain).to.equal(LIST.length);
        expect(counted?.deflated).to.be.lessThan(LIST.length / 4);
        expect(path.agent.ends[0]?.bytesOut, 'as the API server counts').to.equal(LIST.length);
      });

      it('its Content-Length is that of the body as it was made', async () => {
        path.upstream.answer = (_, response) =>
          response.writeHead(200, { ...JSON_HEAD, 'content-length': LIST.length }).end(LIST);
        const { bytes, headers } = await bodyOf(client, PODS);
        expect(bytes.equals(LIST)).to.equal(true);
        expect(headers['content-length']).to.equal(String(LIST.length));
        expect(path.agent.deflated).to.have.length(1);
      });

      it('a client who asks for gzip gets what the API server sent', async () => {
        const zipped = gzipSync(LIST);
        path.upstream.answer = (_, response) =>
          response.writeHead(200, { ...JSON_HEAD, 'content-encoding': 'gzip' }).end(zipped);
        const { bytes, headers } = await bodyOf(client, PODS, { 'accept-encoding': 'gzip' });
        expect(bytes.equals(zipped)).to.equal(true);
        expect(headers['content-encoding']).to.equal('gzip');
        expect(valuesOf(path.upstream.last.rawHeaders, 'accept-encoding')).to.deep.equal(['gzip']);
        expect(path.agent.deflated).to.deep.equal([]);
      });

      it('a client who goes away half-way leaves nothing behind', async () => {
        const call = client.call({ path: PODS });
        const { body } = await call.answer;
        body.on('error', () => {});
        await once(body, 'data');
        expect(path.agent.deflating + path.agent.deflated.length).to.equal(1);
        call.cancel();
        await path.quiet();
        expect(path.agent.deflating).to.equal(0);
      });

      it('a body that breaks off at the API server breaks off at the client', async () => {
        path.upstream.answer = (_, response) => {
          response.writeHead(200, JSON_HEAD).write(LIST.subarray(0, 1_000_000), () => response.destroy());
        };
        const answer = await client.call({ path: PODS }).answer;
        const failure = await bytesOf(answer).then(
          () => 'whole',
          (error: Error) => error.message,
        );
        expect(failure).to.not.equal('whole');
        await path.quiet();
      });
    });
  }

  it('a client who takes nothing holds a window, not the body', async () => {
    const client = path.gateway.client('http/1.1');
    const { body } = await client.call({ path: PODS }).answer;
    await until(() => path.gateway.counts.bufferedBytes > 0);
    expect(path.gateway.counts.budgetBytes).to.be.lessThan(1_000_000);
    expect((await bytesOf({ body })).equals(LIST)).to.equal(true);
  });

  for (const [what, where, head] of [
    ['Secrets', SECRETS, JSON_HEAD],
    ['one Secret', `${SECRETS}/a`, { ...JSON_HEAD, 'content-length': LIST.length }],
    ['kinds that nobody vouches for', '/clusters/c1/apis/example.com/v1/vaults', JSON_HEAD],
    [
      'what a service behind the API server says',
      `${PODS.replace('pods', 'namespaces/a/services')}/x/proxy/`,
      JSON_HEAD,
    ],
    ['a watch', `${PODS}?watch=true`, JSON_HEAD],
    ['a log', '/clusters/c1/api/v1/namespaces/a/pods/b/log', JSON_HEAD],
    ['protobuf', PODS, { 'content-type': 'application/vnd.kubernetes.protobuf' }],
    ['a short list', PODS, { ...JSON_HEAD, 'content-length': 2 }],
  ] as const) {
    it(`never: ${what}`, async () => {
      const body = 'content-length' in head && head['content-length'] === 2 ? Buffer.from('{}') : LIST;
      path.upstream.answer = (_, response) => response.writeHead(200, head).end(body);
      const { bytes } = await bodyOf(path.gateway.client('http/1.1'), where);
      expect(bytes.equals(body)).to.equal(true);
      expect(path.agent.deflated).to.deep.equal([]);
    });
  }

  for (const bytesPerSecond of [undefined, 100_000_000]) {
    it(`not over a link of ${bytesPerSecond ?? 'unknown'} bytes per second`, async () => {
      path.agent.bytesPerSecond = bytesPerSecond;
      const { bytes } = await bodyOf(path.gateway.client('http/1.1'), PODS);
      expect(bytes.equals(LIST)).to.equal(true);
      expect(path.agent.deflated).to.deep.equal([]);
    });
  }

  it('a change of spec.compression reaches a running agent, both ways', async () => {
    const client = path.gateway.client('http/1.1');
    await change({ mode: 'Off', minBytes: SETTINGS.compression.minBytes });
    expect((await bodyOf(client, PODS)).bytes.equals(LIST)).to.equal(true);
    expect(path.agent.deflated, 'Off').to.deep.equal([]);
    path.upstream.answer = (_, response) =>
      response.writeHead(200, { ...JSON_HEAD, 'content-length': LIST.length }).end(LIST);
    await change({ mode: 'Auto', minBytes: LIST.length + 1 });
    await bodyOf(client, PODS);
    expect(path.agent.deflated, 'too short').to.deep.equal([]);
    await change({ mode: 'Auto', minBytes: LIST.length });
    expect((await bodyOf(client, PODS)).bytes.equals(LIST)).to.equal(true);
    expect(path.agent.deflated, 'long enough').to.have.length(1);
  });

  it('what is measured decides: the first list over a slow link shows that it is, the next one goes deflated', async () => {
    await path.stop();
    path = await WholePath.start({ measuresLink: true });
    path.upstream.answer = (_, response) => response.writeHead(200, JSON_HEAD).end(LIST);
    const client = path.gateway.client('http/1.1');
    for (const deflated of [0, 1]) {
      const { body } = await client.call({ path: PODS }).answer;
      // What the client gets at once took a while: 64 KiB in 50 ms are 1.3 MB/s.
      body.on('data', (chunk: Buffer) => path.gateway.clock.advance(chunk.length / 1_300));
      expect((await bytesOf({ body })).equals(LIST)).to.equal(true);
      await path.quiet();
      expect(path.agent.deflated).to.have.length(deflated);
    }
  });

  it('many at once: four go deflated, the others as they are, all of them whole', async () => {
    const client = path.gateway.client('h2');
    const answers = await Promise.all(Array.from({ length: 8 }, () => bodyOf(client, PODS)));
    for (const { bytes } of answers) expect(bytes.equals(LIST)).to.equal(true);
    expect(path.agent.deflated.length).to.be.within(4, 7);
  });
});
