import { createServer, Socket } from 'node:net';
import { expect } from 'chai';
import { paceHandshakes } from '../../../../operator/gateway/front/pace-handshakes.ts';
import { turns } from '../../../support/turns.ts';

describe('operator/gateway/front/pace-handshakes', () => {
  /** A server, and the connections that have begun on it. */
  function paced() {
    const server = createServer();
    const begun: Socket[] = [];
    server.on('connection', (socket) => begun.push(socket));
    paceHandshakes(server);
    const arrive = (count: number) =>
      Array.from({ length: count }, () => {
        const socket = new Socket();
        server.emit('connection', socket);
        return socket;
      });
    return { server, begun, arrive };
  }

  it('begins four connections in a turn, in their order, and all of them in the end', async () => {
    const { begun, arrive } = paced();
    const sockets = arrive(10);
    const counts: number[] = [];
    for (let turn = 0; turn < 4; turn++) {
      counts.push(begun.length);
      await turns(1);
    }
    expect(counts[0]).to.equal(0);
    for (const [at, count] of counts.entries()) expect(count - (counts[at - 1] ?? 0)).to.be.at.most(4);
    await turns(5);
    expect(begun).to.deep.equal(sockets);
  });

  it('begins those that come later too', async () => {
    const { begun, arrive } = paced();
    arrive(1);
    await turns(5);
    arrive(1);
    await turns(5);
    expect(begun).to.have.length(2);
  });

  it('begins none that broke while it waited', async () => {
    const { begun, arrive } = paced();
    const [first, second] = arrive(2);
    first?.destroy(new Error('reset by peer'));
    await turns(5);
    expect(begun).to.deep.equal([second]);
  });

  it('tells listeners that came later at once', () => {
    const { server, arrive } = paced();
    let seen = 0;
    server.on('connection', () => {
      seen += 1;
    });
    arrive(2);
    expect(seen).to.equal(2);
  });
});
