import { execFileSync } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { expect } from 'chai';
import { until } from '../../hack/lab/until.ts';
import { at, onRealNodes, PROTOCOLS, same, session, switches, terminalSession, WAYS } from './stage/stage.ts';

/** The first size comes a moment after the shell. */
const UNTIL_SIZE = (size: string) =>
  `until [ "$(stty size 2>/dev/null)" = "${size}" ]; do sleep 0.1; done; echo is ${size}`;
const IN_TERMINAL = [UNTIL_SIZE('30 100'), 'read line', 'echo "heard $line"', UNTIL_SIZE('40 120'), 'exit 4'].join(
  '; ',
);

for (const protocol of PROTOCOLS) {
  const environment = switches(protocol);

  onRealNodes(`exec over ${protocol}, straight to the API server and through the gateway`, () => {
    it('stdin arrives, stdout and stderr stay apart, the exit code is passed on', async () => {
      const script = 'cat; echo complaint >&2; exit 9';
      const result = await same(['exec', '-i', 'box', '--', 'sh', '-c', script], { input: 'hello\n', environment });
      expect(result.stdout).to.equal('hello\n');
      expect(result.stderr).to.match(/^complaint\n/);
      expect(result.exitCode).to.equal(9);
    });

    it('without stdin a command that reads gets nothing and ends', async () => {
      const result = await same(['exec', 'box', '--', 'wc', '-c'], { environment });
      expect([result.stdout.trim(), result.exitCode]).to.deep.equal(['0', 0]);
    });

    it('5 MB of any bytes through stdin arrive as they were', async () => {
      for (const way of WAYS) {
        const bytes = randomBytes(5 * 2 ** 20);
        const running = session(way, ['exec', '-i', 'box', '--', 'sha256sum'], protocol);
        running.write(bytes);
        running.end();
        expect(await running.exitCode, running.stderr).to.equal(0);
        expect(running.stdout).to.contain(createHash('sha256').update(bytes).digest('hex'));
      }
    });

    it('the client is killed: the command in the pod sees the end of its stdin', async () => {
      for (const way of WAYS) {
        const ended = `/tmp/ended-${way}-${protocol}`;
        const script = `echo started; cat; touch ${ended}`;
        const running = session(way, ['exec', '-i', 'box', '--', 'sh', '-c', script], protocol);
        await running.says(/started/);
        running.kill();
        await until('the end of the command', async () =>
          (await at('direct', ['exec', 'box', '--', 'test', '-e', ended])).exitCode === 0 ? true : undefined,
        );
      }
    });

    it('what cannot be run fails with the same words', async () => {
      for (const args of [
        ['exec', 'box', '--', 'no-such-program'],
        ['exec', 'box', '-c', 'no-such-container', '--', 'true'],
        ['exec', 'no-such-pod', '--', 'true'],
      ]) {
        const { exitCode, stderr } = await same(args, { environment });
        expect(exitCode).to.be.greaterThan(0);
        expect(stderr).to.contain('no-such');
      }
    });

    it('in a terminal: its size, typing, a change of its size, the exit code', async () => {
      const seen: string[] = [];
      for (const way of WAYS) {
        const shell = terminalSession(way, ['exec', '-it', 'box', '--', 'sh', '-c', IN_TERMINAL], protocol);
        const [, terminal = ''] = await shell.says(/(\/dev\/pts\/\d+)/);
        await shell.says(/is 30 100/);
        shell.write('typed\n');
        await shell.says(/heard typed/);
        execFileSync('stty', ['-F', terminal, 'rows', '40', 'cols', '120'], { timeout: 5_000 });
        await shell.says(/is 40 120/);
        expect(await shell.exitCode).to.equal(4);
        seen.push(shell.stdout.replace(terminal, ''));
      }
      expect(seen[1]).to.equal(seen[0]);
    });
  });
}
