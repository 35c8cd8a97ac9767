import { expect } from 'chai';
import { block, Code, data, type Fields, frame, headers, RawHttp2, settings, Type, u32 } from '../support/raw-http2.ts';
import { turns, until } from '../support/turns.ts';
import { expectHonest, GET, POST, withValue } from './http2/rule.ts';
import { WholePath } from './whole-path.ts';

const MEBIBYTE = 2 ** 20;
/** What a connection may ask for at once, as SETTINGS say. */
const STREAMS = 250;
/** Workers of the path's agent. */
const WORKERS = 64;
const NOTHING = Buffer.alloc(0);
const open = headers(1, POST, { isEnd: false });

/** Frames by the thousand that cost the sender nothing. Others are served meanwhile and afterwards, and memory is bounded. */
describe('tunnel-path/http2-floods', function () {
  this.timeout(60_000);
  let path: WholePath;

  beforeEach(async () => {
    path = await WholePath.start();
  });
  afterEach(async () => {
    if (!path.gateway.isQuiet) await path.gateway.pass(90_000);
    await path.stop();
  });

  /** Says `flood` ever again until the gateway has enough of it, or `times`. */
  async function flood(connection: RawHttp2, one: Buffer, times = 100): Promise<boolean> {
    const many = Buffer.concat(Array(1_000).fill(one));
    const hasEnough = () => connection.isClosed || connection.goneAway !== undefined;
    for (let at = 0; at < times && !hasEnough(); at++) {
      connection.send(many);
      await turns(2);
    }
    return hasEnough();
  }

  const UNREAD: readonly (readonly [string, Buffer])[] = [
    ['PING', frame(Type.Ping, 0, 0, Buffer.alloc(8))],
    ['SETTINGS', settings([0x4, 65_535])],
  ];
  for (const [what, one] of UNREAD) {
    it(`${what} whose answers nobody reads: they do not pile up (CVE-2019-9512, CVE-2019-9515)`, async () => {
      const connection = await RawHttp2.open(path.gateway);
      connection.raw.socket.pause();
      // The gateway ends the connection, or reads no more of it while its answers cannot leave.
      const isHeld = () => connection.raw.socket.writableLength > 4 * MEBIBYTE || !connection.raw.socket.writable;
      for (let at = 0; at < 500 && !isHeld(); at++) {
        connection.send(Buffer.concat(Array(1_000).fill(one)));
        await turns(2);
      }
      expect(isHeld()).to.equal(true);
      await expectHonest(path);
      connection.raw.leave();
      await path.gateway.pass(90_000);
      await until(() => path.gateway.counts.connections === 1);
    });
  }

  it('empty DATA: costs its sender a connection that does nothing else, and others nothing (CVE-2019-9518)', async () => {
    const connection = await RawHttp2.open(path.gateway);
    connection.send(open);
    await flood(connection, data(1, ''), 50);
    await expectHonest(path);
    connection.raw.leave();
    await path.quiet();
  });

  it('CONTINUATION without end (CVE-2024-27316): the connection ends', async () => {
    const connection = await RawHttp2.open(path.gateway);
    connection.send(frame(Type.Headers, 0, 1, block(GET)));
    expect(await flood(connection, frame(Type.Continuation, 0, 1, NOTHING))).to.equal(true);
    expect(path.upstream.received).to.have.length(0);
    connection.raw.leave();
    await expectHonest(path);
  });

  it('a request and its RST_STREAM (CVE-2023-44487): the connection ends, and no more run than there are workers', async () => {
    path.upstream.answer = () => {};
    const connection = await RawHttp2.open(path.gateway);
    const isOver = () => connection.isClosed || connection.goneAway !== undefined;
    let id = 1;
    for (; id < 40_000 && !isOver(); id += 2) {
      connection.send(headers(id, GET), frame(Type.RstStream, 0, id, u32(Code.Cancel)));
      if (id % 20 === 1) await turns(1);
      expect(path.agent.busy).to.be.at.most(WORKERS + 4);
    }
    expect(isOver(), `still open after ${id}`).to.equal(true);
    connection.raw.leave();
    await path.gateway.pass(90_000);
    await path.quiet();
    path.upstream.answer = (_, response) => response.end('ok');
    await expectHonest(path);
  });

  const PROVOKED: readonly (readonly [string, (id: number) => Buffer])[] = [
    ['WINDOW_UPDATE of 0', (id) => frame(Type.WindowUpdate, 0, id, u32(0))],
    ['a window beyond 2^31-1', (id) => frame(Type.WindowUpdate, 0, id, u32(2 ** 31 - 1))],
    ['PRIORITY of another length', (id) => frame(Type.Priority, 0, id, Buffer.alloc(4))],
    ['a second head', (id) => headers(id, [['x-a', 'b']], { isEnd: false })],
  ];
  for (const [what, provoke] of PROVOKED) {
    it(`${what}, so that the gateway itself resets each request (CVE-2025-8671): no more run than there are workers`, async () => {
      path.upstream.answer = () => {};
      const connection = await RawHttp2.open(path.gateway);
      const isOver = () => connection.isClosed || connection.goneAway !== undefined;
      let id = 1;
      for (; id < 8_000 && !isOver(); id += 2) {
        connection.send(headers(id, POST, { isEnd: false }), provoke(id));
        if (id % 20 === 1) await turns(1);
        expect(path.agent.busy).to.be.at.most(WORKERS + 4);
      }
      expect(
        isOver(),
        `still open after ${(id - 1) / 2} requests, ${path.upstream.received.length} of which arrived`,
      ).to.equal(true);
      connection.raw.leave();
      await path.gateway.pass(90_000);
      await path.quiet();
      path.upstream.answer = (_, response) => response.end('ok');
      await expectHonest(path);
    });
  }

  it('more streams at once than were offered: the rest is refused', async () => {
    path.upstream.answer = () => {};
    const connection = await RawHttp2.open(path.gateway);
    const isAlive = await connection.isAlive();
    const all = Array.from({ length: STREAMS + 10 }, (_, at) => 2 * at + 1);
    connection.send(...all.map((id) => headers(id, GET)));
    await until(() => all.slice(STREAMS).every((id) => connection.resetOf(id) !== undefined) || connection.isClosed);
    expect(isAlive).to.equal(true);
    expect(all.slice(STREAMS).map((id) => connection.resetOf(id))).to.deep.equal(Array(10).fill(Code.Refused));
    expect(path.gateway.counts.requests).to.equal(STREAMS);
    connection.raw.leave();
    await path.quiet();
  });

  it('answers that a window of 0 holds back (CVE-2019-9517): memory is bounded, and in the end they are cut', async () => {
    path.upstream.answer = (_, response) => response.end(Buffer.alloc(MEBIBYTE));
    const connection = await RawHttp2.open(path.gateway);
    connection.send(settings([0x4, 0]));
    const all = Array.from({ length: 32 }, (_, at) => 2 * at + 1);
    connection.send(...all.map((id) => headers(id, GET)));
    await until(() => all.every((id) => connection.statusOf(id) === 200));
    await turns(200);
    expect(path.gateway.counts.bufferedBytes).to.be.below(8 * MEBIBYTE);
    await expectHonestSmall();
    await path.gateway.pass(30_000);
    await until(() => all.every((id) => connection.resetOf(id) !== undefined));
    connection.raw.leave();
    await path.quiet();
  });

  it('a small answer that a window of 0 holds back is cut after a minute', async () => {
    const connection = await RawHttp2.open(path.gateway);
    connection.send(settings([0x4, 0]), headers(1, GET));
    await until(() => connection.statusOf(1) === 200);
    await turns();
    expect(connection.hasEnded(1)).to.equal(false);
    await path.gateway.pass(65_000);
    await until(() => connection.resetOf(1) !== undefined);
    connection.raw.leave();
    await path.quiet();
  });

  /** While the target sends a lot to everybody. */
  async function expectHonestSmall(): Promise<void> {
    path.upstream.answer = (_, response) => response.end('ok');
    await expectHonest(path);
  }

  it('fields by the thousand under a name of their own never make the gateway keep them (an HPACK table per connection)', async () => {
    const connection = await RawHttp2.open(path.gateway);
    const fields = (at: number): Fields => [...withValue('accept', '*/*'), [`x-${at}`, 'y'.repeat(4_000)]];
    for (let id = 1; id < 100; id += 2) connection.send(headers(id, fields(id)));
    await until(() => connection.hasEnded(99));
    expect(connection.statusOf(99)).to.equal(200);
    connection.raw.leave();
    await path.quiet();
  });
});
