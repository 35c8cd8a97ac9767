import { ErrorCode, FrameType } from '../../../tunnel/wire/codes.ts';
import { FRAME_HEADER_BYTES } from '../../../tunnel/wire/limits.ts';
import type { GatewayCase } from '../case.ts';
import { expectEqual, expectStatus } from '../expect.ts';
import type { GatewayLab } from './lab.ts';
import { raw, u32 } from './words.ts';

const LONGEST_MESSAGE_BYTES = 147_465;
/** Of a type that is skipped: nothing else in it matters. */
const SKIPPED_TYPE = 0x80;

/** §1. */
export const connectionCases: readonly GatewayCase[] = [
  {
    rule: '1.3',
    title: 'answers 401 to an upgrade without a token',
    run: async (lab) => expectStatus(await lab.dial({ token: null }), 401),
  },
  {
    rule: '1.3',
    title: 'answers 401 to a token whose key it knows and whose secret is another',
    run: async (lab) => expectStatus(await lab.dial({ token: withOtherSecret(lab) }), 401),
  },
  {
    rule: '1.3',
    title: 'answers 401 to a token that is none',
    run: async (lab) => expectStatus(await lab.dial({ token: 'secret' }), 401),
  },
  {
    rule: '1.4',
    title: 'answers 403 to an upgrade with an Origin',
    run: async (lab) => expectStatus(await lab.dial({ headers: { origin: lab.target.url } }), 403),
  },
  {
    rule: '1.5',
    title: 'answers 400 to an upgrade without a subprotocol',
    run: async (lab) => expectStatus(await lab.dial({ protocol: null }), 400),
  },
  {
    rule: '1.5',
    title: 'answers 400 to an upgrade that offers another version only',
    run: async (lab) => expectStatus(await lab.dial({ protocol: 'clustertunnel.v0' }), 400),
  },
  {
    rule: '1.6',
    title: 'takes up no extension that is offered',
    run: async (lab) => {
      const { headers, status } = await lab.dial();
      expectStatus({ status }, 101);
      expectEqual('the extensions', headers['sec-websocket-extensions'], undefined);
    },
  },
  {
    rule: '1.7',
    title: 'ends the session with PROTOCOL over a text message',
    run: async (lab) => {
      const peer = await lab.agent();
      // A frame that would be answered: nothing but its opcode is wrong.
      peer.sendText(raw(FrameType.Ping, 0, 0, u32(7)).toString('latin1'));
      await peer.expectEndAtOnce(ErrorCode.Protocol);
    },
  },
  {
    rule: '1.8',
    title: `takes a message of ${LONGEST_MESSAGE_BYTES} bytes`,
    run: async (lab) => {
      const peer = await lab.agent();
      peer.sendBytes(messageOf(LONGEST_MESSAGE_BYTES));
      await peer.expectAlive();
    },
  },
  {
    rule: '1.8',
    title: `ends the session over a message of ${LONGEST_MESSAGE_BYTES + 1} bytes`,
    run: async (lab) => {
      const peer = await lab.agent();
      peer.sendBytes(messageOf(LONGEST_MESSAGE_BYTES + 1));
      await peer.expectEndAtOnce();
    },
  },
];

function messageOf(bytes: number): Buffer {
  return raw(SKIPPED_TYPE, 0, 0, Buffer.alloc(bytes - FRAME_HEADER_BYTES));
}

/** As well formed, of the same key. */
function withOtherSecret({ target: { agentToken } }: GatewayLab): string {
  const at = agentToken.length - 20;
  return `${agentToken.slice(0, at)}${agentToken[at] === 'A' ? 'B' : 'A'}${agentToken.slice(at + 1)}`;
}
