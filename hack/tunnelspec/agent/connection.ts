import { ErrorCode, FrameType } from '../../../tunnel/wire/codes.ts';
import { FRAME_HEADER_BYTES } from '../../../tunnel/wire/limits.ts';
import { Authority } from '../../lab/cluster/certificates.ts';
import type { AgentCase } from '../case.ts';
import { expectEqual, expectThat } from '../expect.ts';
import { raw, u32 } from '../gateway/words.ts';
import type { AgentLab } from './lab.ts';
import type { Presented } from './raw-gateway.ts';

/** How often an agent that trusts nobody is watched to dial. */
const ATTEMPTS = 2;
const KIB = 1024;
/** Of a type that is skipped: nothing else in it matters. */
const SKIPPED_TYPE = 0x80;
const LONGEST_MESSAGE_BYTES = 147_465;

/** §1. */
export const connectionCases: readonly AgentCase[] = [
  {
    rule: '1.1',
    title: 'asks for the path, the subprotocol and to be let in with a token',
    run: async (lab) => {
      const { method, url, headers } = await upgrade(lab);
      expectEqual('the method', method, 'GET');
      expectEqual('the path', url, '/agent/v1/connect');
      expectEqual('the subprotocol', headers['sec-websocket-protocol'], 'clustertunnel.v1');
      const { authorization = 'none' } = headers;
      expectThat('Authorization to carry a bearer token', /^Bearer [A-Za-z0-9._~+/=-]+$/.test(authorization));
    },
  },
  {
    rule: '1.2',
    title: 'says nothing to a gateway that the given CA does not vouch for',
    run: async (lab) => {
      const stranger = await Authority.create('tunnelspec stranger');
      const { certificatePem, keyPem } = await stranger.server('gateway', { dns: ['localhost'], ip: ['127.0.0.1'] });
      await expectSilence(lab, { cert: certificatePem, key: keyPem });
    },
  },
  {
    rule: '1.2',
    title: 'says nothing to who shows a certificate of the given CA for another name',
    run: async (lab) => expectSilence(lab, lab.namesake),
  },
  {
    rule: '1.6',
    title: 'offers no extension',
    run: async (lab) => {
      const { headers } = await upgrade(lab);
      expectEqual('the extensions', headers['sec-websocket-extensions'], undefined);
    },
  },
  {
    rule: '1.7',
    title: 'ends the session with PROTOCOL over a text message',
    run: async (lab) => {
      const { peer } = await lab.session();
      // A frame that would be answered: nothing but its opcode is wrong.
      peer.sendText(raw(FrameType.Ping, 0, 0, u32(7)).toString('latin1'));
      await peer.expectEndAtOnce(ErrorCode.Protocol);
    },
  },
  {
    rule: '1.8',
    title: `takes a message of ${LONGEST_MESSAGE_BYTES} bytes`,
    run: async (lab) => {
      const { peer } = await lab.session();
      peer.sendBytes(messageOf(LONGEST_MESSAGE_BYTES));
      await peer.expectAlive();
    },
  },
  {
    rule: '1.8',
    title: `ends the session over a message of ${LONGEST_MESSAGE_BYTES + 1} bytes`,
    run: async (lab) => {
      const { peer } = await lab.session();
      peer.sendBytes(messageOf(LONGEST_MESSAGE_BYTES + 1));
      await peer.expectEndAtOnce();
    },
  },
];

/** What the agent's next upgrade asked for. */
async function upgrade(lab: AgentLab) {
  const peer = await lab.connection();
  const attempt = lab.gateway.attempts.find((each) => each.peer === peer);
  if (attempt === undefined) throw new Error('expected the attempt of this connection to be known');
  return attempt.request;
}

/** @throws Error when a byte comes inside TLS while the agent dials who shows this certificate. */
async function expectSilence(lab: AgentLab, shown: Presented): Promise<void> {
  const { gateway } = lab;
  gateway.present(shown);
  gateway.dropAll();
  await gateway.until('the old connections to be gone', () => gateway.connections === 0 || undefined, 3_000);
  const { dialed, receivedBytes } = gateway;
  const isOver = () => gateway.receivedBytes > receivedBytes || gateway.dialed > dialed + ATTEMPTS;
  await gateway.until('the agent to dial again', () => isOver() || undefined, lab.ms(60_000));
  expectEqual('the bytes that came inside TLS', gateway.receivedBytes - receivedBytes, 0);
}

/** Two frames, so that none is longer than any type allows. */
function messageOf(bytes: number): Buffer {
  const first = raw(SKIPPED_TYPE, 0, 0, Buffer.alloc(64 * KIB));
  return Buffer.concat([first, raw(SKIPPED_TYPE, 0, 0, Buffer.alloc(bytes - first.length - FRAME_HEADER_BYTES))]);
}
