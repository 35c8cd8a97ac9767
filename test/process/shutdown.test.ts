import { spawn } from 'node:child_process';
import { expect } from 'chai';

const MODULE = new URL('../../process/shutdown.ts', import.meta.url).href;

/** Runs `body` in a process of its own after exitOnSignals({ drain }); its exit code and what it logged. */
function run(drain: string, body: string): Promise<{ code: number | null; said: string }> {
  const script = `
    import { exitOnSignals } from ${JSON.stringify(MODULE)};
    const say = (message, fields) => console.log(message, fields?.error?.message ?? '');
    const log = { error: say, warn: say, info: say, debug: say, child: () => log };
    setInterval(() => {}, 1000);
    let deadlineMs = 20;
    exitOnSignals({ drain: ${drain}, deadlineMs: () => deadlineMs, log });
    ${body}`;
  const child = spawn(process.execPath, ['--import', 'tsx', '--input-type=module', '-e', script], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let said = '';
  child.stdout.on('data', (chunk) => {
    said += String(chunk);
  });
  return new Promise((resolve) => child.once('close', (code) => resolve({ code, said })));
}

describe('process/shutdown', function () {
  this.timeout(20_000);
  const never = '() => new Promise(() => {})';
  const cases: readonly (readonly [sentence: string, drain: string, body: string, code: number, said: string])[] = [
    ['exits 0 once it is drained', 'async () => {}', "process.kill(process.pid, 'SIGTERM');", 0, 'shutting down'],
    [
      'exits 1 when it is not drained in time',
      never,
      "process.kill(process.pid, 'SIGINT');",
      1,
      'not drained within 20 ms',
    ],
    [
      'exits 1 when draining fails',
      "async () => { throw new Error('no') }",
      "process.kill(process.pid, 'SIGTERM');",
      1,
      'no',
    ],
    [
      'has the time that is allowed when the signal comes, not what was allowed at start',
      '() => new Promise((resolve) => setTimeout(resolve, 200))',
      "deadlineMs = 20_000; process.kill(process.pid, 'SIGTERM');",
      0,
      'shutting down',
    ],
    ['logs an error nobody handled and exits 1', never, "Promise.reject(new Error('our bug'));", 1, 'our bug'],
  ];

  it('ends a process as its end was', async () => {
    const ends = await Promise.all(cases.map(([, drain, body]) => run(drain, body)));
    for (const [index, [sentence, , , code, said]] of cases.entries()) {
      expect(ends[index]?.code, sentence).to.equal(code);
      expect(ends[index]?.said, sentence).to.contain(said);
    }
  });
});
