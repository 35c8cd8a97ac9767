import { expect } from 'chai';
import { onRealNodes, same, stage, TUNNEL } from './stage/stage.ts';

onRealNodes("the target's own rights, straight to the API server and through the gateway", () => {
  it('a user without the right to exec there is told so in the same words', async () => {
    const { lab, target } = stage();
    const args = ['exec', 'box', '--', 'true'];
    const options = { mayFail: true };
    const direct = await lab.kubectl(target, ['--as=alice', '--as-group=lab:developers', ...args], options);
    expect(await stage().through(TUNNEL, 'alice', args, options)).to.deep.equal(direct);
    expect(direct.stderr).to.contain('User "alice" cannot');
  });

  it("a pod's own pages by way of …/proxy are the same", async () => {
    const page = await same(['get', '--raw', '/api/v1/namespaces/default/pods/web:8080/proxy/greeting']);
    expect(page.stdout).to.equal('hello\n');
  });
});
