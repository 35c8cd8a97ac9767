import { ErrorCode, Flag, FrameType, nameOf } from '../../../tunnel/wire/codes.ts';
import type { Extra } from '../../../tunnel/wire/head.ts';
import type { AgentCase } from '../case.ts';
import { expectEqual } from '../expect.ts';
import { raw } from '../gateway/words.ts';
import type { RawPeer } from '../peer.ts';
import type { AgentLab } from './lab.ts';
import { GET } from './lab.ts';
import { EXTRA, openPayloadWith } from './payloads.ts';

const NAMED = 'tunnelspec.example/scopes';
/** Not even if a tunnel names them. */
const RESERVED: readonly string[] = ['authentication.kubernetes.io/pod-name', 'k8s.io/x', 'Team', 'a%2fb', ''];

/** What OPEN says of a user and his extras, by sentence, and is none of what §4 allows. */
const NOT_ALLOWED: Readonly<Record<string, Buffer>> = {
  'an identity of a kind that is none': openPayloadWith(3, [0, 1, ...EXTRA]),
  'extras without one': openPayloadWith(2, [0, 0]),
  'an extra without a value': openPayloadWith(2, [0, 1, 0, 1, 0x61, 0, 0]),
  'an extra said twice': openPayloadWith(2, [0, 2, ...EXTRA, ...EXTRA]),
};

/** §4: extras of an identity. */
export const extraCases: readonly AgentCase[] = [
  ...Object.entries(NOT_ALLOWED).map(
    ([what, payload]): AgentCase => ({
      rule: '2.13',
      title: `ends the session with PROTOCOL over OPEN with ${what}`,
      run: async (lab) => {
        const peer = await sessionWithExtras(lab);
        peer.sendBytes(raw(FrameType.Open, Flag.End, 1, payload));
        await peer.expectEndAtOnce(ErrorCode.Protocol);
      },
    }),
  ),
  {
    rule: '4.20',
    title: 'ends the session with PROTOCOL over an identity with extras without the feature',
    run: async (lab) => {
      const { peer } = await lab.session({ features: [] });
      await lab.configure(peer, { access: { extras: [NAMED] } });
      peer.send(openWith(lab, peer, { key: NAMED, values: ['read'] }));
      await peer.expectEndAtOnce(ErrorCode.Protocol);
    },
  },
  ...Object.entries({
    'that the tunnel does not name': [{ key: 'other', values: ['x'] }],
    'with a value that is not visible ASCII': [
      { key: NAMED, values: ['gr\u00fcn'] },
      { key: NAMED, values: ['a\r\nb'] },
      { key: NAMED, values: ['fine', ''] },
    ],
    'that is reserved or no key, though the tunnel names it': RESERVED.map((key) => ({ key, values: ['x'] })),
  }).map(
    ([what, extras]): AgentCase => ({
      rule: '4.22',
      title: `refuses an OPEN with an extra ${what}`,
      run: async (lab) => {
        const peer = await sessionWithExtras(lab);
        for (const extra of extras) {
          const open = openWith(lab, peer, extra);
          peer.send(open);
          const { code } = await peer.next(FrameType.Refused, ({ streamId }) => streamId === open.streamId);
          expectEqual(`the code for ${JSON.stringify(extra)}`, nameOf(code), nameOf(ErrorCode.PolicyDenied));
        }
        await peer.expectAlive();
      },
    }),
  ),
  {
    rule: '4.23',
    title: 'tells the upstream extras: a field a value, in order, keys percent-encoded',
    run: async (lab) => {
      const peer = await sessionWithExtras(lab);
      const values = ['write', 'read', 'write'];
      const identity = { user: 'jane', uid: '', groups: [], extras: [{ key: NAMED, values }] };
      const { asked } = await lab.request(peer, { identity });
      const { rawHeaders } = asked.request;
      const names = rawHeaders.filter((text, at) => at % 2 === 0 && /^impersonate-extra-/i.test(text));
      const name = `impersonate-extra-${NAMED.replace('/', '%2f')}`;
      expectEqual('the fields', names.map((each) => each.toLowerCase()).join(), values.map(() => name).join());
      const told = rawHeaders.filter((_, at) => at % 2 === 1 && names.includes(rawHeaders[at - 1] ?? ''));
      expectEqual('their values', told.join(), values.join());
    },
  },
];

/** With the feature, and a tunnel that names an extra. */
async function sessionWithExtras(lab: AgentLab): Promise<RawPeer> {
  const { peer } = await lab.session({ features: ['extras'] });
  await lab.configure(peer, { access: { extras: [NAMED, ...RESERVED] } });
  return peer;
}

function openWith(lab: AgentLab, peer: RawPeer, extra: Extra): ReturnType<AgentLab['open']> {
  return lab.open(peer, { path: GET.path, identity: { user: 'jane', uid: '', groups: [], extras: [extra] } });
}
