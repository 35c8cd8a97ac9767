import { expect } from 'chai';
import { describeError, redact, redactText } from '../../process/redact.ts';

const AGENT_TOKEN = `ct1.k7.${'Ab3_-'.repeat(9)}`;
const JWT = 'eyJhbGciOiJSUzI1NiIsImtpZCI6IjEifQ.eyJzdWIiOiJzeXN0ZW06c2VydmljZWFjY291bnQifQ.c2lnbmF0dXJl_-';
const SECRETS = [AGENT_TOKEN, JWT];

describe('process/redact', () => {
  for (const name of [
    'token',
    'Authorization',
    'proxy-authorization',
    'cookie',
    'set-cookie',
    'password',
    'accessToken',
    'client_secret',
    'privateKey',
    'private-key',
    'client-key-data',
    'credentials',
    'Sec-WebSocket-Protocol',
    'Impersonate-Uid',
    'impersonate-extra-scopes',
    'X-API-Key',
  ]) {
    it(`hides the value of ${name}, whatever it holds`, () => {
      const values: readonly unknown[] = ['plain', ['in', 'a list'], { in: 'an object' }, Buffer.from('bytes'), 7];
      for (const value of values) expect(redact({ [name]: value })).to.deep.equal({ [name]: '[redacted]' });
      expect(redact({ [name]: undefined })).to.deep.equal({ [name]: undefined });
    });
  }

  for (const secret of SECRETS) {
    it(`hides ${secret.slice(0, 6)}… wherever it stands`, () => {
      const hidden = JSON.stringify(
        redact({
          text: `before ${secret} after`,
          list: [secret, { deep: secret }],
          error: new Error(`outer ${secret}`, { cause: new Error(`inner ${secret}`) }),
          map: new Map([['a', secret]]),
          set: new Set([secret]),
          url: new URL(`https://host/?access=${secret}`),
        }),
      );
      expect(hidden).not.to.contain(secret.slice(8, 24));
      expect(hidden).to.contain('before [redacted] after').and.to.contain('outer [redacted]: inner [redacted]');
      expect(redactText(`a ${secret}, b ${secret}`)).to.equal('a [redacted], b [redacted]');
    });
  }

  it('hides any bearer credential, also in a raw header list', () => {
    expect(redactText('Authorization: Bearer abc.DEF-123+/=')).to.equal('Authorization: [redacted]');
    expect(redact({ headers: ['authorization', 'bearer opaque'] })).to.deep.equal({
      headers: ['authorization', '[redacted]'],
    });
  });

  for (const [text, clean] of [
    ['authorization: Basic dXNlcjpwYXNz1A==', 'authorization: [redacted]'],
    ['GET /x?token=opaque&limit=1', 'GET /x?token=[redacted]&limit=1'],
    ['https://host/cb?a=1&access_token=opaque', 'https://host/cb?a=1&access_token=[redacted]'],
    ['connect https://user:opaque@proxy:3128 failed', 'connect https://user:[redacted]@proxy:3128 failed'],
    ['https://host:443/a?b=c mail me@host', 'https://host:443/a?b=c mail me@host'],
    ['basic authentication is not served', 'basic authentication is not served'],
  ] as const) {
    it(`says of ${JSON.stringify(text)} what is no secret`, () => expect(redactText(text)).to.equal(clean));
  }

  it('leaves what is no secret as it is', () => {
    const fields = { tunnel: 'ns/name', secretName: 's', tokens: 3, isOpen: true, nothing: null, none: undefined };
    expect(redact(fields)).to.deep.equal(fields);
  });

  it('writes what JSON cannot: big numbers, dates, bytes, functions', () => {
    const bad = new Date(Number.NaN);
    expect(
      redact({ big: 2n ** 70n, at: new Date(0), bad, bytes: new Uint8Array(3), run: () => 1, symbol: Symbol('s') }),
    ).to.deep.equal({
      big: '1180591620717411303424',
      at: '1970-01-01T00:00:00.000Z',
      bad: '[invalid date]',
      bytes: '[3 bytes]',
      run: '[function]',
      symbol: '[symbol]',
    });
  });

  it('ends for circular objects', () => {
    const circle: Record<string, unknown> = { name: 'circle' };
    circle['self'] = circle;
    expect(JSON.stringify(redact(circle))).to.contain('[deep]');
  });

  it('ends soon for huge, wide and densely circular objects', () => {
    const dense: unknown[] = [];
    for (let index = 0; index < 2_000; index++) dense.push(dense);
    const wide = Object.fromEntries(Array.from({ length: 50_000 }, (_, index) => [`key${index}`, index]));
    const line = JSON.stringify(redact({ dense, wide, text: 'x'.repeat(5_000_000), list: Array(1_000_000).fill('x') }));
    expect(line.length).to.be.below(100_000);
  });

  it('ends soon for a text made to confuse the pattern', () => {
    expect(String(redact({ text: 'eyJ-'.repeat(500_000) })['text']).length).to.be.below(20_000);
  });

  it('does not cut a secret in half and show the rest', () => {
    const text = `${'x'.repeat(8_150)} ${JWT} ${'y'.repeat(20_000)}`;
    expect(String(redact({ text })['text'])).not.to.contain('eyJhbGci');
  });

  it('reads what throws when read', () => {
    const hostile = {
      get bad(): string {
        throw new Error('no');
      },
      good: 1,
    };
    expect(redact({ hostile })).to.deep.equal({ hostile: { bad: '[unreadable]', good: 1 } });
  });

  describe('describeError', () => {
    it('tells the chain of causes in one line', () => {
      const error = new Error('dial failed', { cause: new Error('connect ECONNREFUSED', { cause: 'port 1' }) });
      expect(describeError(error)).to.equal('dial failed: connect ECONNREFUSED: port 1');
    });

    it('names an error without a message, and tells all errors of an aggregate', () => {
      expect(describeError(new TypeError())).to.equal('TypeError');
      expect(describeError(new AggregateError([new Error('v4'), new Error('v6')], 'all failed'))).to.equal('v4, v6');
    });

    it('ends for causes and aggregates that go round in a circle', () => {
      const cause = new Error('round');
      cause.cause = cause;
      const aggregate = new AggregateError([], 'x');
      aggregate.errors.push(aggregate, aggregate, aggregate);
      expect(describeError(cause)).to.equal('round: round: round: round');
      expect(describeError(aggregate).length).to.be.below(10_000);
    });

    it('tells anything that was thrown', () => {
      expect([describeError('text'), describeError(7), describeError(null)]).to.deep.equal(['text', '7', 'null']);
      expect(describeError(Object.create(null))).to.be.a('string');
    });
  });
});
