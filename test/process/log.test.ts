import { Writable } from 'node:stream';
import { expect } from 'chai';
import fc from 'fast-check';
import { createLogger, type Logger, type LogLevel, silentLogger } from '../../process/log.ts';

/** A logger and what it wrote. */
function logging(format: 'json' | 'text', level: LogLevel = 'debug'): { log: Logger; lines: () => string[] } {
  let text = '';
  const stream = new Writable({
    write(chunk, _encoding, done) {
      text += String(chunk);
      done();
    },
  });
  return { log: createLogger({ level, format, stream }), lines: () => text.split('\n').slice(0, -1) };
}

describe('process/log', () => {
  it('writes one JSON line per record, time and level and message first', () => {
    const { log, lines } = logging('json');
    log.info('session opened', { tunnel: 'ns/a', rttMs: 3 });
    log.error('proxy failed', { error: new Error('two\nlines') });
    expect(lines()).to.have.length(2);
    const [first, second] = lines().map((line) => JSON.parse(line) as Record<string, unknown>);
    expect(Object.keys(first ?? {})).to.deep.equal(['time', 'level', 'message', 'tunnel', 'rttMs']);
    expect(first).to.include({ level: 'info', message: 'session opened', tunnel: 'ns/a', rttMs: 3 });
    expect(second).to.include({ level: 'error', error: 'two\nlines' });
    expect(Date.parse(String(first?.['time']))).to.be.above(0);
  });

  it('writes one line per record for people', () => {
    const { log, lines } = logging('text');
    log.warn('watch ended', { code: 410, reason: 'two\nlines' });
    expect(lines()).to.have.length(1);
    expect(lines()[0]).to.match(/^\S+ WARN {2}watch ended code=410 reason="two\\nlines"$/);
  });

  it('carries the fields of its parents, and those of the record win', () => {
    const { log, lines } = logging('json');
    log.child({ tunnel: 'ns/a', stream: 1 }).child({ agent: 'b' }).info('opened', { stream: 2 });
    expect(JSON.parse(lines()[0] ?? '')).to.include({ tunnel: 'ns/a', agent: 'b', stream: 2 });
  });

  it('says nothing below its level', () => {
    const { log, lines } = logging('json', 'warn');
    log.debug('a');
    log.info('b');
    log.warn('c');
    expect(lines()).to.have.length(1);
    silentLogger.child({ a: 1 }).error('nowhere');
  });

  it('hides secrets', () => {
    const { log, lines } = logging('json');
    log.child({ token: 'plain' }).info('dialed', { headers: ['authorization', 'Bearer abc'] });
    expect(lines()[0]).not.to.match(/plain|abc/);
  });

  it('keeps its message and level whatever the fields are called', () => {
    const { log, lines } = logging('json');
    log.info('said', { message: 'other', level: 'error', time: 0, timestamp: 1, stack: 's', cause: 'c', splat: [1] });
    const line = JSON.parse(lines()[0] ?? '') as Record<string, unknown>;
    expect(line).to.include({ message: 'said', level: 'info', stack: 's', cause: 'c' });
    expect(line['time']).to.be.a('string').that.is.not.equal('0');
  });

  it('keeps the fields of a message with a percent sign', () => {
    const { log, lines } = logging('json');
    log.info('used 100%s of it', { code: 1 });
    expect(JSON.parse(lines()[0] ?? '')).to.include({ message: 'used 100%s of it', code: 1 });
  });

  it('property: any fields become one line that parses', () => {
    const anything = fc.anything({
      withBigInt: true,
      withDate: true,
      withMap: true,
      withSet: true,
      withTypedArray: true,
    });
    for (const format of ['json', 'text'] as const) {
      fc.assert(
        fc.property(fc.dictionary(fc.string(), anything), (fields) => {
          const { log, lines } = logging(format);
          log.info('tried', fields);
          expect(lines()).to.have.length(1);
          if (format === 'json') JSON.parse(lines()[0] ?? '');
        }),
      );
    }
  });
});
