import { expect } from 'chai';
import { pod } from './stage/pods.ts';
import { at, onRealNodes, same, session, stage, WAYS } from './stage/stage.ts';

const LINES = 40;

onRealNodes('logs, straight to the API server and through the gateway', () => {
  it('-f shows each line while the container runs, and ends with it', async () => {
    const script = `for i in $(seq ${LINES}); do echo "line $i"; sleep 0.1; done`;
    const { lab, target } = stage();
    await lab.kubectl(target, ['apply', '-f', '-'], { input: JSON.stringify(pod('talker', script)) });
    await lab.kubectl(target, ['wait', 'pod/talker', '--for=condition=Ready', '--timeout=30s']);
    const followers = WAYS.map((way) => session(way, ['logs', '-f', 'talker'], 'WebSocket'));
    for (const follower of followers) {
      await follower.says(/line 5\n/);
      expect(follower.stdout, 'still running').not.to.contain(`line ${LINES}\n`);
    }
    for (const follower of followers) {
      expect(await follower.exitCode, follower.stderr).to.equal(0);
      expect(follower.stdout.trimEnd().split('\n')).to.have.length(LINES);
    }
    expect(followers[1]?.stdout).to.equal(followers[0]?.stdout);
    expect((await same(['logs', 'talker', '--tail=3'])).stdout).to.equal('line 38\nline 39\nline 40\n');
    await at('direct', ['delete', 'pod', 'talker', '--wait=false']);
  });

  it('of a container that is not there: the same words', async () => {
    const { exitCode, stderr } = await same(['logs', 'box', '-c', 'nobody']);
    expect([exitCode, stderr.includes('nobody')]).to.deep.equal([1, true]);
  });
});
