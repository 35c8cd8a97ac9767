import { once } from 'node:events';
import { type AddressInfo, connect, createServer } from 'node:net';
import { expect } from 'chai';
import { until } from '../../../hack/lab/until.ts';
import { HoldingRelay } from '../../../hack/load/holding-relay.ts';

describe('hack/load/holding-relay', () => {
  it('cuts what passed, takes what comes, and lets it pass later with all that was said', async () => {
    const server = createServer((socket) => socket.on('error', () => {}).pipe(socket)).listen(0, '127.0.0.1');
    await once(server, 'listening');
    const relay = await HoldingRelay.open((server.address() as AddressInfo).port);
    const dial = () => connect({ host: '127.0.0.1', port: Number(new URL(relay.url).port) }).on('error', () => {});
    const first = dial();
    first.write('first');
    expect(String((await once(first, 'data'))[0])).to.equal('first');
    const cut = once(first, 'close');
    relay.hold();
    await cut;
    const second = dial();
    second.write('second');
    await until('a held connection', () => (relay.held === 1 ? true : undefined));
    relay.release();
    expect(String((await once(second, 'data'))[0])).to.equal('second');
    relay.close();
    await once(second, 'close');
    server.close();
  });
});
