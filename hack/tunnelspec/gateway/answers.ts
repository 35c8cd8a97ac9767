import { randomBytes } from 'node:crypto';
import { ErrorCode, FrameType } from '../../../tunnel/wire/codes.ts';
import type { Frame } from '../../../tunnel/wire/frame.ts';
import type { GatewayCase } from '../case.ts';
import { expectEqual, expectStatus, expectThat } from '../expect.ts';
import { sendBody, takeBody } from './bodies.ts';
import { serve } from './serve.ts';
import { data, end, head, trailers } from './words.ts';

const BODY_BYTES = 300_000;

/** §4: heads, bodies and trailers. */
export const answerCases: readonly GatewayCase[] = [
  {
    rule: '4.8',
    title: 'takes heads 1xx before the final one',
    run: async (lab) => {
      const peer = await lab.agent();
      const { call, open } = await lab.opened(peer);
      const { streamId } = open;
      peer.send(head(streamId, 100), head(streamId, 103), head(streamId, 199), head(streamId));
      peer.send(data(streamId, 'body', { isEnd: true }));
      const { status, body } = await call.answer();
      expectStatus({ status }, 200);
      expectEqual('the body', body.toString('latin1'), 'body');
    },
  },
  ...failures('4.8', {
    'a body before any head': (id) => [data(id, 'body')],
    'a body after a head 103': (id) => [head(id, 103), data(id, 'body')],
    'an end before any head': (id) => [end(id)],
    'trailers before any head': (id) => [trailers(id)],
    'a head 103 with END': (id) => [head(id, 103, { isEnd: true })],
  }),
  ...failures('4.9', {
    'a second final head': (id) => [head(id), head(id)],
    'a head 103 after the final one': (id) => [head(id), head(id, 103)],
    'a head between two pieces of the body': (id) => [head(id), data(id, 'body'), head(id)],
  }),
  {
    rule: '4.11',
    title: 'hands on an answer in the order in which it came',
    run: async (lab) => {
      const peer = await lab.agent();
      const { call, open } = await lab.opened(peer);
      const sent = randomBytes(BODY_BYTES);
      const answer = call.answer();
      peer.send(head(open.streamId));
      await sendBody(peer, open.streamId, sent, { mostBytes: 5_003 });
      const { body, isWhole } = await answer;
      expectThat('the whole body, its bytes in order', isWhole && body.equals(sent), body.length);
    },
  },
  {
    rule: '4.11',
    title: 'sends a body in the order in which it came',
    run: async (lab) => {
      const peer = await lab.agent();
      const { call, open } = await lab.opened(peer, { method: 'POST', hasBody: true });
      const sent = randomBytes(BODY_BYTES);
      call.write(sent);
      call.end();
      const body = await takeBody(peer, open.streamId);
      expectThat('the whole body, its bytes in order', body.equals(sent), body.length);
    },
  },
  {
    rule: '4.12',
    title: 'hands on the trailers of an answer',
    run: async (lab) => {
      const peer = await lab.agent();
      const { call, open } = await lab.opened(peer);
      const { streamId } = open;
      peer.send(head(streamId), data(streamId, 'body'), trailers(streamId, ['x-sum', 'abc', 'x-late', '\xe4']));
      const { body, isWhole, trailers: came } = await call.answer();
      expectThat('a whole body', isWhole && body.toString('latin1') === 'body', body.toString('latin1'));
      expectEqual('x-sum', came['x-sum'], 'abc');
      expectEqual('x-late', came['x-late'], '\xe4');
    },
  },
  {
    rule: '4.12',
    title: 'sends the trailers of a request',
    run: async (lab) => {
      const peer = await lab.agent();
      const { call, open } = await lab.opened(peer, { method: 'POST', hasBody: true });
      call.write('body');
      call.request.addTrailers([
        ['X-Sum', 'abc'],
        ['X-Sum', 'def'],
        ['X-Late', '\xe4'],
      ]);
      call.end();
      const frame = await peer.next(FrameType.Trailers);
      expectEqual('the body before', peer.dataBytes(open.streamId), 4);
      expectEqual('the trailers', JSON.stringify(frame.trailers), '["X-Sum","abc","X-Sum","def","X-Late","\xe4"]');
    },
  },
];

/** Answers that are none: their stream is reset, and the session goes on. */
function failures(rule: string, answers: Readonly<Record<string, (streamId: number) => Frame[]>>): GatewayCase[] {
  return Object.entries(answers).map(([what, answer]) => ({
    rule,
    title: `ends the stream with UPSTREAM_PROTOCOL over ${what}`,
    run: async (lab) => {
      const peer = await lab.agent();
      const { call, open } = await lab.opened(peer);
      const answered = call.answer().catch(() => undefined);
      peer.send(...answer(open.streamId));
      const { streamId, code } = await peer.next(FrameType.Reset);
      expectEqual('the stream of RESET', streamId, open.streamId);
      expectEqual('the code of RESET', code, ErrorCode.UpstreamProtocol);
      const came = await answered;
      expectThat('no answer that looks whole', came === undefined || came.status >= 500 || !came.isWhole);
      await serve(lab, peer);
    },
  }));
}
