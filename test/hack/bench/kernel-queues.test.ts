import { expect } from 'chai';
import { parseTcpSockets } from '../../../hack/bench/kernel-queues.ts';

const TEXT = `  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 00000000:20FB 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 1681 1 0 100 0 0 10 0
   1: 0100007F:78AD 0100007F:20FB 01 00010000:0000002A 03:0000071D 00000000     0        0 0 3 0
`;

describe('hack/bench/kernel-queues', () => {
  it('reads ports and what waits in either queue', () => {
    expect(parseTcpSockets(TEXT)).to.deep.equal([
      { localPort: 8_443, remotePort: 0, sendBytes: 0, receiveBytes: 0 },
      { localPort: 30_893, remotePort: 8_443, sendBytes: 65_536, receiveBytes: 42 },
    ]);
  });
});
