import { createHash, randomBytes } from 'node:crypto';
import { gzipSync } from 'node:zlib';
import { expect } from 'chai';
import { bytesOf, type Client, PROTOCOLS, whole } from '../support/gateway-fixture.ts';
import { valuesOf } from '../support/stub-upstream.ts';
import { until } from '../support/turns.ts';
import { ALICE, identityIn, nextText, pour, WholePath } from './whole-path.ts';

const KIBIBYTE = 1024;
const MEGABYTE = 1e6;
const PODS = '/clusters/c1/api/v1/namespaces/default/pods';

describe('tunnel-path/request-kinds', function () {
  this.timeout(60_000);
  let path: WholePath;
  let client: Client;

  beforeEach(async () => {
    path = await WholePath.start();
  });
  afterEach(() => path.stop());

  for (const protocol of PROTOCOLS) {
    describe(`over ${protocol}`, () => {
      beforeEach(() => {
        client = path.gateway.client(protocol);
      });

      it('log -f: each line arrives before the next one is written', async () => {
        let say: (line: string) => void = () => {};
        let finish = () => {};
        path.upstream.answer = (_, response) => {
          response.flushHeaders();
          say = (line) => response.write(line);
          finish = () => response.end();
        };
        const { answer } = client.call({ path: `${PODS}/web/log?follow=true&container=app` });
        const { body, status } = await answer;
        expect(status, 'before there is a line').to.equal(200);
        for (let at = 0; at < 20; at++) {
          const line = nextText(body);
          say(`line ${at}\n`);
          expect(await line).to.equal(`line ${at}\n`);
        }
        const rest = bytesOf({ body });
        finish();
        expect((await rest).length).to.equal(0);
      });

      it('watch: an event of many chunks arrives as it was written', async () => {
        const event = `${JSON.stringify({ type: 'ADDED', object: { data: 'x'.repeat(200 * KIBIBYTE) } })}\n`;
        path.upstream.answer = (_, response) => {
          response.flushHeaders();
          for (let at = 0; at < event.length; at += 1_000) response.write(event.slice(at, at + 1_000));
          response.end();
        };
        const answer = await whole(client, { path: `${PODS}?watch=true&resourceVersion=1` });
        expect(answer.text).to.equal(event);
      });

      it('server-side apply: content type, query and body as they are', async () => {
        const body = 'apiVersion: v1\nkind: ConfigMap\nmetadata: {name: "größe"}\n';
        const where = '/api/v1/namespaces/default/configmaps/a?fieldManager=kubectl&force=true&dryRun=All';
        const contentType = 'application/apply-patch+yaml';
        await whole(client, {
          method: 'PATCH',
          path: `/clusters/c1${where}`,
          headers: { 'content-type': contentType },
          body,
        });
        const { method, url, chunks, rawHeaders } = path.upstream.last;
        expect([method, url]).to.deep.equal(['PATCH', where]);
        expect(valuesOf(rawHeaders, 'content-type')).to.deep.equal([contentType]);
        expect(Buffer.concat(chunks).toString()).to.equal(body);
      });

      it('paged lists: the token of the next page is not read, only handed on', async () => {
        const token = 'eyJ2IjoibWV0YS5rOHMuaW8vdjEifQ==';
        path.upstream.answer = (request, response) => {
          response.setHeader('content-type', 'application/json');
          const next = request.url?.includes('continue=') ? '' : token;
          for (const part of ['{"metadata":{"continue":"', next, '"},"items":[', ']}']) response.write(part);
          response.end();
        };
        const first = await whole(client, { path: `${PODS}?limit=500&fieldSelector=spec.nodeName%3Dn1` });
        const { metadata } = JSON.parse(first.text);
        const second = await whole(client, {
          path: `${PODS}?limit=500&continue=${encodeURIComponent(metadata.continue)}`,
        });
        expect(JSON.parse(second.text).metadata.continue).to.equal('');
        expect(path.upstream.received.map(({ url }) => url)).to.deep.equal([
          '/api/v1/namespaces/default/pods?limit=500&fieldSelector=spec.nodeName%3Dn1',
          '/api/v1/namespaces/default/pods?limit=500&continue=eyJ2IjoibWV0YS5rOHMuaW8vdjEifQ%3D%3D',
        ]);
      });

      it('protobuf: not a byte is touched, either way', async () => {
        const type = 'application/vnd.kubernetes.protobuf';
        const sent = Buffer.concat([Buffer.from('k8s\0'), randomBytes(100 * KIBIBYTE)]);
        const answered = Buffer.concat([Buffer.from('k8s\0'), randomBytes(300 * KIBIBYTE)]);
        path.upstream.answer = (request, response) => {
          request.on('end', () => response.writeHead(201, { 'content-type': type }).end(answered));
        };
        const headers = { 'content-type': type, accept: `${type},application/json` };
        const answer = await client.call({ method: 'POST', path: PODS, headers, body: sent }).answer;
        expect((await bytesOf(answer)).equals(answered)).to.equal(true);
        expect(answer.headers['content-type']).to.equal(type);
        expect(Buffer.concat(path.upstream.last.chunks).equals(sent)).to.equal(true);
        expect(valuesOf(path.upstream.last.rawHeaders, 'accept')).to.deep.equal([headers.accept]);
      });

      it('gzip: asked for by the client, sent by the API server, untouched between them', async () => {
        const zipped = gzipSync(randomBytes(200 * KIBIBYTE).toString('base64'));
        path.upstream.answer = (_, response) => {
          response.writeHead(200, { 'content-encoding': 'gzip', 'content-length': zipped.length, vary: 'Accept' });
          response.end(zipped);
        };
        const answer = await client.call({ path: PODS, headers: { 'accept-encoding': 'gzip' } }).answer;
        expect((await bytesOf(answer)).equals(zipped)).to.equal(true);
        expect(answer.headers).to.include({ 'content-encoding': 'gzip', 'content-length': String(zipped.length) });
        expect(valuesOf(path.upstream.last.rawHeaders, 'accept-encoding')).to.deep.equal(['gzip']);
        const plain = await client.call({ path: PODS }).answer;
        await bytesOf(plain);
        expect(valuesOf(path.upstream.last.rawHeaders, 'accept-encoding'), 'nobody else asks').to.deep.equal([]);
      });

      for (const bytes of [0, 1, 64 * KIBIBYTE, 100 * MEGABYTE]) {
        for (const framing of ['with its length', 'without'] as const) {
          // Behind the gateway it is the same as over http/1.1, and takes seconds.
          if (protocol === 'h2' && framing === 'without' && bytes > MEGABYTE) continue;
          it(`a request body of ${bytes} bytes, ${framing}`, async () => {
            const body = randomBytes(bytes);
            path.upstream.keepsBodies = false;
            path.upstream.answer = (request, response) => request.on('end', () => response.end('whole'));
            const headers = framing === 'without' ? {} : { 'content-length': String(bytes) };
            const call = client.call({ method: 'PUT', path: `${PODS}/web`, headers, body: 'open' });
            await pour(call.upload, body);
            expect(String(await bytesOf(await call.answer))).to.equal('whole');
            const { last } = path.upstream;
            expect(last).to.include({ bodyBytes: bytes, isWhole: true });
            expect(last.sha256).to.equal(createHash('sha256').update(body).digest('hex'));
            const isSaid = framing === 'with its length' || bytes === 0;
            expect(valuesOf(last.rawHeaders, 'content-length')).to.deep.equal(isSaid ? [String(bytes)] : []);
          });
        }
      }

      it('a body with trailers is whole, and its trailers never become headers', async () => {
        const trailers = { 'X-Checksum': 'abc', 'Impersonate-User': 'root' };
        path.upstream.answer = (request, response) => request.on('end', () => response.end('ok'));
        const answer = await whole(client, { method: 'POST', path: PODS, body: 'a body', trailers });
        expect(answer.status).to.equal(200);
        const { last } = path.upstream;
        expect(last).to.include({ isWhole: true, bodyBytes: 6 });
        expect(valuesOf(last.rawHeaders, 'x-checksum')).to.deep.equal([]);
        expect(valuesOf(last.rawHeaders, 'impersonate-user')).to.deep.equal(['alice']);
        expect(last.rawTrailers).to.deep.equal([]);
      });

      it('trailers of the answer arrive behind its body', async () => {
        path.upstream.answer = (_, response) => {
          response.writeHead(200, { trailer: 'X-Sum' });
          response.write('body');
          response.addTrailers([['X-Sum', '42']]);
          response.end();
        };
        const answer = await whole(client, { path: PODS, headers: { te: 'trailers' } });
        expect(answer.text).to.equal('body');
        expect(answer.trailers()).to.include({ 'x-sum': '42' });
      });

      it('Expect: 100-continue is answered when the request may go on, and the body follows', async () => {
        path.upstream.answer = (request, response) => request.on('end', () => response.end('ok'));
        const headers = { expect: '100-continue', 'content-length': '5' };
        const call = client.call({ method: 'POST', path: PODS, headers, body: 'open' });
        await until(call.wasContinued);
        call.upload.end('hello');
        expect(String(await bytesOf(await call.answer))).to.equal('ok');
        const { rawHeaders, chunks } = path.upstream.last;
        expect(valuesOf(rawHeaders, 'expect')).to.deep.equal([]);
        expect(Buffer.concat(chunks).toString()).to.equal('hello');
      });

      it('HEAD: the length that GET would have, and no body', async () => {
        path.upstream.answer = (_, response) => response.writeHead(200, { 'content-length': 1234 }).end();
        const answer = await whole(client, { method: 'HEAD', path: `${PODS}/web` });
        expect(path.upstream.last.method).to.equal('HEAD');
        expect(answer.headers['content-length']).to.equal('1234');
        expect(answer.text).to.equal('');
      });

      it('an answer that comes while the body still flows is the answer', async () => {
        path.upstream.readsBodies = false;
        path.upstream.answer = (_, response) => {
          response.writeHead(413, { connection: 'close', 'content-type': 'text/plain' }).end('too large');
        };
        const call = client.call({ method: 'POST', path: PODS, body: 'open' });
        call.upload.write(randomBytes(256 * KIBIBYTE));
        const answer = await call.answer;
        expect(answer.status).to.equal(413);
        expect(String(await bytesOf(answer))).to.equal('too large');
        call.cancel();
      });

      it('carries who asks as the hub knows him, and nothing that he says of himself', async () => {
        await whole(client, {
          path: PODS,
          headers: {
            cookie: 'session=1',
            'x-remote-user': 'root',
            'x-remote-group': 'system:masters',
            'x-forwarded-for': '10.0.0.1',
            'x-kept': 'yes',
          },
        });
        const { rawHeaders } = path.upstream.last;
        expect(identityIn(rawHeaders)).to.deep.equal(ALICE);
        expect(valuesOf(rawHeaders, 'x-kept')).to.deep.equal(['yes']);
      });
    });
  }
});
