import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import type { Duplex } from 'node:stream';
import { FrameType } from '../../../tunnel/wire/codes.ts';
import type { Frame } from '../../../tunnel/wire/frame.ts';
import type { GatewayCase } from '../case.ts';
import { expectThat } from '../expect.ts';
import { hasEnded } from './bodies.ts';
import type { CallOptions } from './client.ts';
import { data, end, head } from './words.ts';

const SOON_MS = 3_000;

/** A command in a pod. */
export const UPGRADE: CallOptions = {
  path: '/api/v1/namespaces/default/pods/web/exec?command=sh',
  headers: {
    connection: 'Upgrade',
    upgrade: 'websocket',
    'sec-websocket-version': '13',
    'sec-websocket-key': Buffer.alloc(16).toString('base64'),
  },
};

/** The target takes the upgrade up. */
export function switching(streamId: number): Frame {
  return head(streamId, 101, { headers: ['Upgrade', 'websocket', 'Connection', 'Upgrade'] });
}

/** §4: what follows a 101. */
export const upgradeCases: readonly GatewayCase[] = [
  {
    rule: '4.13',
    title: 'carries raw bytes both ways after HEAD 101',
    run: async (lab) => {
      const peer = await lab.agent();
      const { call, open } = await lab.opened(peer, UPGRADE);
      expectThat('OPEN with UPGRADE and without END', open.head.isUpgrade && !open.isEnd);
      const [down, up] = [randomBytes(4_096), randomBytes(4_096)];
      peer.send(switching(open.streamId), data(open.streamId, down));
      const { socket, first } = await call.upgraded();
      socket.write(up);
      const came = await read(socket, first, down.length);
      expectThat('the bytes of the target', came.equals(down));
      await peer.until('the bytes of the client', () => peer.body(open.streamId).length >= up.length || undefined);
      expectThat('the bytes of the client as they were', peer.body(open.streamId).equals(up));
    },
  },
  {
    rule: '4.13',
    title: "ends the client's half alone",
    run: async (lab) => {
      const peer = await lab.agent();
      const { call, open } = await lab.opened(peer, UPGRADE);
      peer.send(switching(open.streamId));
      const { socket, first } = await call.upgraded();
      socket.end('over');
      await peer.until("the end of the client's half", () => hasEnded(peer, open.streamId) || undefined);
      expectThat('what it said before', peer.body(open.streamId).toString('latin1') === 'over');
      const answer = Buffer.from('and out');
      peer.send(data(open.streamId, answer));
      expectThat('the bytes of the target', (await read(socket, first, answer.length)).equals(answer));
      const ended = once(socket, 'end', { signal: AbortSignal.timeout(SOON_MS) });
      socket.resume();
      peer.send(end(open.streamId));
      await ended;
      await peer.expectAlive();
      expectThat('no RESET', peer.all(FrameType.Reset).length === 0);
    },
  },
  {
    rule: '4.13',
    title: "ends the target's half alone",
    run: async (lab) => {
      const peer = await lab.agent();
      const { call, open } = await lab.opened(peer, UPGRADE);
      peer.send(switching(open.streamId));
      const { socket } = await call.upgraded();
      socket.allowHalfOpen = true;
      const ended = once(socket, 'end', { signal: AbortSignal.timeout(SOON_MS) });
      socket.resume();
      peer.send(end(open.streamId));
      await ended;
      socket.end('last words');
      await peer.until("the end of the client's half", () => hasEnded(peer, open.streamId) || undefined);
      expectThat('what it said before', peer.body(open.streamId).toString('latin1') === 'last words');
      expectThat('no RESET', peer.all(FrameType.Reset).length === 0);
    },
  },
];

/** So many bytes of a connection that nobody has read yet. */
async function read(socket: Duplex, first: Buffer, bytes: number): Promise<Buffer> {
  let came = first;
  const signal = AbortSignal.timeout(SOON_MS);
  while (came.length < bytes) {
    const chunk: Buffer | null = socket.read();
    if (chunk === null) await once(socket, 'readable', { signal });
    else came = Buffer.concat([came, chunk]);
  }
  return came;
}
