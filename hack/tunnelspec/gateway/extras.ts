import { FrameType } from '../../../tunnel/wire/codes.ts';
import type { Identity } from '../../../tunnel/wire/head.ts';
import type { GatewayCase } from '../case.ts';
import { expectEqual, expectThat } from '../expect.ts';
import type { GatewayLab } from './lab.ts';

/** Never passes, whatever a tunnel says. */
export const RESERVED_EXTRA = 'authentication.kubernetes.io/tunnelspec';
const UNNAMED_EXTRA = 'unnamed.example/tunnelspec';

/** §4: extras of an identity. */
export const extraCases: readonly GatewayCase[] = [
  {
    rule: '4.20',
    title: 'chooses the feature extras only if it is offered, and leaves extras out without it',
    run: async (lab) => {
      const { extra } = lab;
      const { identity } = await asked(lab, [], [extra]);
      expectThat('an identity', identity !== undefined);
      expectEqual('its extras', identity?.extras, undefined);
    },
  },
  {
    rule: '4.20',
    title: 'sends no identity 2 for a user without extras',
    run: async (lab) => {
      const { identity } = await asked(lab, ['extras'], []);
      expectEqual('its extras', identity?.extras, undefined);
    },
  },
  {
    rule: '4.21',
    title: 'sends the extras that the tunnel names, and no others',
    run: async (lab) => {
      const { extra } = lab;
      const { identity } = await asked(lab, ['extras'], [UNNAMED_EXTRA, extra, RESERVED_EXTRA]);
      expectEqual('the extras', JSON.stringify(identity?.extras), JSON.stringify([{ key: extra, values: ['read'] }]));
    },
  },
];

/** The OPEN of a request as somebody who has these extras. */
async function asked(
  lab: GatewayLab,
  features: readonly string[],
  extras: readonly string[],
): Promise<{ readonly identity: Identity | undefined }> {
  const peer = await lab.agent({ features });
  const [welcome] = peer.all(FrameType.Welcome);
  expectEqual('the chosen features', String(welcome?.document['features']), String(features));
  const lines = extras.map((key) => [`impersonate-extra-${encodeURIComponent(key)}`, 'read']);
  const headers = lines.length === 0 ? {} : { 'impersonate-user': 'tunnelspec-other', ...Object.fromEntries(lines) };
  const { open } = await lab.opened(peer, { headers });
  return { identity: open.head.identity };
}
