import { expect } from 'chai';
import { type ClientsLab, DIRECT, HTTP2 } from '../../support/parity/clients-lab.ts';
import { type Command, shown, titleOf } from '../../support/parity/command.ts';
import { curl } from '../../support/parity/curl.ts';
import { inTurn } from '../../support/parity/in-turn.ts';

const OPERATOR = ['-n', 'clustertunnel-system'];
const DEPLOYMENT = 'deployment/clustertunnel-operator';
const SWITCH_OFF = '[{"op":"add","path":"/spec/template/spec/containers/0/args/-","value":"--http2=false"}]';

const COMMANDS: readonly Command[] = [
  { args: ['get', 'nodes'] },
  { args: ['explain', 'pods.spec'] },
  { args: ['create', 'configmap', 'settings', '--from-literal=color=red'] },
  { args: ['get', 'configmaps', '--watch', '--request-timeout=2s', 'settings'] },
  { args: ['delete', 'configmap', 'settings'] },
];

/** The way out for networks that break HTTP/2. The operator stays so: nothing may come after this suite. */
export function withoutHttp2Suite(lab: () => ClientsLab): void {
  describe('an operator that offers no HTTP/2', () => {
    before(async () => {
      const { lab: installed } = lab();
      await installed.hub([...OPERATOR, 'patch', DEPLOYMENT, '--type=json', '-p', SWITCH_OFF]);
      await installed.hub([...OPERATOR, 'rollout', 'status', DEPLOYMENT, '--timeout=60s']);
    });

    it('serves clients that would like to speak it over HTTP/1.1', async () => {
      const step = { title: 'GET', path: '/version', status: 200 };
      expect((await curl(lab(), HTTP2, '2', step)).heads[0]?.[0]).to.equal('HTTP/1.1 200');
    });

    it('gives kubectl the same answers', async () => {
      const { results } = inTurn([DIRECT, HTTP2], COMMANDS, (way, command) => lab().kubectl(way, command));
      for (const [at, command] of COMMANDS.entries()) {
        const [direct, through] = await Promise.all([results.get(DIRECT)?.[at], results.get(HTTP2)?.[at]]);
        if (direct === undefined || through === undefined) throw new RangeError('kubectl was not run');
        expect(shown(command, through), titleOf(command)).to.deep.equal(shown(command, direct));
      }
    });
  });
}
