import { FrameType } from '../../../tunnel/wire/codes.ts';
import type { AgentCase } from '../case.ts';
import { expectEqual } from '../expect.ts';
import { data, end } from '../gateway/words.ts';
import type { RawPeer } from '../peer.ts';
import type { AgentLab } from './lab.ts';
import type { Upgraded } from './upstream.ts';

const SWITCHED = 'HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n';
/** Of an upgrade, as the gateway passes it on. */
const HEADERS = [
  'Upgrade',
  'websocket',
  'Sec-WebSocket-Key',
  'dGhlIHNhbXBsZSBub25jZQ==',
  'Sec-WebSocket-Version',
  '13',
];
const NO_TEXT = Buffer.from([0x00, 0xff, 0x0a, 0x81, 0x00]);

/** §4: raw bytes. */
export const upgradeCases: readonly AgentCase[] = [
  {
    rule: '4.13',
    title: 'carries raw bytes both ways after HEAD 101, those beside the head too',
    run: async (lab) => {
      const { peer } = await lab.session();
      const { id, upstream } = await upgraded(lab, peer, 'first ');
      upstream.socket.write(NO_TEXT);
      await cameDown(peer, id, Buffer.concat([Buffer.from('first '), NO_TEXT]));
      peer.send(data(id, 'up '), data(id, NO_TEXT));
      await upstream.came(Buffer.concat([Buffer.from('up '), NO_TEXT]));
    },
  },
  {
    rule: '4.13',
    title: 'goes on with the answer when our half has ended',
    run: async (lab) => {
      const { peer } = await lab.session();
      const { id, upstream } = await upgraded(lab, peer);
      peer.send(data(id, 'all'), end(id));
      await upstream.ended;
      await upstream.came(Buffer.from('all'));
      await peer.expectAlive();
      upstream.socket.write('later');
      await cameDown(peer, id, Buffer.from('later'));
      upstream.socket.end();
      await peer.next(FrameType.Data, ({ streamId, isEnd }) => streamId === id && isEnd);
    },
  },
  {
    rule: '4.13',
    title: 'goes on with what we say when the answer has ended',
    run: async (lab) => {
      const { peer } = await lab.session();
      const { id, upstream } = await upgraded(lab, peer);
      upstream.socket.end('all');
      await peer.next(FrameType.Data, ({ streamId, isEnd }) => streamId === id && isEnd);
      await cameDown(peer, id, Buffer.from('all'));
      peer.send(data(id, 'later'));
      await upstream.came(Buffer.from('later'));
      peer.send(end(id));
      await upstream.ended;
    },
  },
];

/** An upgrade that the upstream has taken up; it says `first` in one write with its head. */
async function upgraded(lab: AgentLab, peer: RawPeer, first = ''): Promise<{ id: number; upstream: Upgraded }> {
  const path = `/tunnelspec/upgrade/${lab.upstream.upgrades.length}`;
  const open = lab.open(peer, { path, headers: HEADERS, isLongRunning: true, isUpgrade: true }, false);
  peer.send(open);
  const upstream = await lab.upstream.nextUpgrade(path);
  upstream.socket.write(`${SWITCHED}${first}`);
  const { head } = await peer.next(FrameType.Head, ({ streamId }) => streamId === open.streamId);
  expectEqual('the status', head.status, 101);
  return { id: open.streamId, upstream };
}

/** @throws Error unless this is what the stream has brought. */
async function cameDown(peer: RawPeer, id: number, expected: Buffer): Promise<void> {
  await peer.until(`${expected.length} bytes`, () => peer.dataBytes(id) >= expected.length || undefined);
  expectEqual('the bytes', peer.body(id).toString('latin1'), expected.toString('latin1'));
}
