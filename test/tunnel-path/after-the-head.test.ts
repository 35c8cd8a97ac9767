import { once } from 'node:events';
import type { ServerResponse } from 'node:http';
import { expect } from 'chai';
import { WATCH_ENDS_WITHIN_MS } from '../../operator/gateway/sessions/watch-end.ts';
import { type Answer, bytesOf, PROTOCOLS, SETTINGS } from '../support/gateway-fixture.ts';
import { standstill, until } from '../support/turns.ts';
import { FaultStage, PODS, parsed, WATCH } from './fault-stage.ts';
import { pour, upgradeRequest } from './whole-path.ts';

const TRACE_ID = 'trace-of-this-test';
const LENGTH = 100;
const MUCH = Buffer.alloc(64 * 2 ** 20, 'x');
const LOG = `${PODS}/web/log?follow=true`;

/** How long an answer says it is. */
const FRAMINGS: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  'that is chunked': {},
  'with a Content-Length': { 'content-length': String(LENGTH) },
};

describe('tunnel-path/after-the-head', function () {
  this.timeout(60_000);
  let stage: FaultStage;
  let answering: ServerResponse | undefined;

  beforeEach(async () => {
    stage = await FaultStage.start();
    answering = undefined;
  });
  afterEach(() => stage.stop());

  /** The target begins to answer, and leaves the rest to the test. */
  const begin = (headers: Readonly<Record<string, string>>) => {
    stage.path.upstream.answer = (_, response) => {
      answering = response;
      response.writeHead(200, headers).write('half');
    };
  };
  /** The client has the beginning. */
  const open = async (protocol: (typeof PROTOCOLS)[number], below: string): Promise<Answer> => {
    const headers = { 'X-Trace-ID': TRACE_ID };
    const answer = await stage.path.gateway.client(protocol).call({ path: `/clusters/c1${below}`, headers }).answer;
    expect(answer.status).to.equal(200);
    await once(answer.body, 'data');
    return answer;
  };
  const ending = (answer: Answer) =>
    bytesOf(answer).then(
      () => 'clean',
      () => 'cut',
    );
  /** The one line of the request. */
  const line = async () => {
    await until(() => stage.linesOf(TRACE_ID).length > 0);
    const lines = stage.linesOf(TRACE_ID);
    expect(lines.map(({ message }) => message)).to.deep.equal(['audit']);
    return lines[0]?.fields;
  };

  for (const protocol of PROTOCOLS) {
    describe(`over ${protocol}`, () => {
      for (const [framing, headers] of Object.entries(FRAMINGS)) {
        it(`an answer ${framing} is cut when its session is lost`, async () => {
          begin(headers);
          const over = ending(await open(protocol, PODS));
          await stage.path.break();
          expect(await over).to.equal('cut');
          const lost = { code: 'session_lost', hop: 'tunnel', tunnel: 'c1', status: 200, bytesOut: 4 };
          expect(await line()).to.include(lost);
        });

        it(`an answer ${framing} is cut when the target breaks its connection`, async () => {
          begin(headers);
          const over = ending(await open(protocol, PODS));
          answering?.destroy();
          expect(await over).to.equal('cut');
          expect(await line()).to.include({ code: 'upstream_reset', hop: 'upstream', tunnel: 'c1', status: 200 });
        });
      }

      it('an answer that nobody reads is cut after timeouts.backpressure', async () => {
        stage.path.upstream.answer = (_, response) => {
          answering = response;
          response.on('error', () => {}); // cut in the middle: what the test waits for
          void pour(response, MUCH);
        };
        const answer = await open(protocol, PODS);
        const over = ending(answer);
        answer.body.pause();
        await standstill(() => answering?.socket?.bytesWritten ?? 0);
        await stage.path.gateway.pass(2 * SETTINGS.timeouts.backpressureMs);
        const fields = await line();
        expect(fields).to.include({ code: 'backpressure_timeout', hop: 'gateway', tunnel: 'c1', status: 200 });
        expect(fields?.['cause']).to.contain('nobody read the answer');
        answer.body.resume();
        expect(await over).to.equal('cut');
        await until(() => stage.path.upstream.last.isAborted);
      });

      it('a log is cut when its session is lost: nobody may take it for the whole', async () => {
        begin({});
        const over = ending(await open(protocol, LOG));
        await stage.path.break();
        expect(await over).to.equal('cut');
        expect(await line()).to.include({ code: 'session_lost', status: 200 });
      });

      it('a watch ends cleanly within a second when its session is lost, and the line tells why', async () => {
        begin({});
        const over = ending(await open(protocol, WATCH));
        await stage.path.break();
        stage.path.gateway.clock.advance(1_000);
        expect(await over).to.equal('clean');
        expect(await line()).to.include({ code: 'session_lost', hop: 'tunnel', verb: 'watch', status: 200 });
      });

      it('a watch ends cleanly when the target breaks it: over HTTP/2 a cut would make informers list again', async () => {
        begin({});
        const over = ending(await open(protocol, WATCH));
        answering?.destroy();
        await until(() => stage.path.gateway.counts.streams === 0);
        await stage.path.gateway.pass(WATCH_ENDS_WITHIN_MS);
        expect(await over).to.equal('clean');
        expect(await line()).to.include({ code: 'upstream_reset', verb: 'watch' });
      });

      it('a client that goes away in the middle: one line, and no fault of anybody’s', async () => {
        begin({});
        const { body } = await open(protocol, PODS);
        body.destroy();
        expect(await line())
          .to.include({ error: 'cancelled', status: 200, tunnel: 'c1' })
          .and.not.have.any.keys('code');
      });

      it('a client that goes away before the head: one line', async () => {
        stage.path.upstream.answer = () => {};
        const headers = { 'X-Trace-ID': TRACE_ID };
        const call = stage.path.gateway.client(protocol).call({ path: `/clusters/c1${PODS}`, headers });
        await stage.arrived();
        call.cancel();
        expect(await line()).to.include({ error: 'cancelled', status: undefined, tunnel: 'c1' });
      });

      it('a client that goes away while it waits: one line, and the target never hears of it', async () => {
        await stage.path.break();
        const headers = { 'X-Trace-ID': TRACE_ID };
        const call = stage.path.gateway.client(protocol).call({ path: `/clusters/c1${PODS}`, headers });
        await stage.waits();
        call.cancel();
        expect(await line()).to.include({ error: 'cancelled', status: undefined, tunnel: 'c1' });
        expect(stage.executed).to.equal(0);
      });
    });
  }

  describe('an exec', () => {
    const exec = async () => {
      const raw = await stage.path.gateway.raw('http/1.1', { allowHalfOpen: true });
      raw.write(upgradeRequest({ lines: [`X-Trace-ID: ${TRACE_ID}`] }));
      const { status, headers } = parsed(await raw.said('\r\n\r\n'));
      expect([status, headers['x-trace-id']]).to.deep.equal([101, TRACE_ID]);
      return { raw, upgraded: await stage.path.upstream.upgraded() };
    };

    it('is cut at both ends when its session is lost', async () => {
      const { raw, upgraded } = await exec();
      await stage.path.break();
      await until(() => raw.hasEnded && upgraded.hasEnded);
      raw.reset();
      expect(await line()).to.include({ code: 'session_lost', hop: 'tunnel', status: 101, isUpgrade: true });
    });

    it('is cut when the target breaks it', async () => {
      const { raw, upgraded } = await exec();
      stage.path.upstream.break(upgraded);
      await until(() => raw.hasEnded);
      raw.reset();
      expect(await line()).to.include({ code: 'upstream_reset', hop: 'upstream', status: 101, isUpgrade: true });
    });

    it('whose client goes away: one line', async () => {
      const { raw } = await exec();
      raw.reset();
      expect(await line()).to.include({ error: 'cancelled', status: 101, isUpgrade: true });
    });
  });
});
