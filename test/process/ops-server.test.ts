import { expect } from 'chai';
import { type OpsServer, type OpsServerOptions, startOpsServer } from '../../process/ops-server.ts';

const TOKEN = `ct1.k7.${'x'.repeat(43)}`;

describe('process/ops-server', () => {
  let server: OpsServer | undefined;
  afterEach(async () => {
    await server?.close();
    server = undefined;
  });

  /** Status and body of one GET. */
  async function get(path: string, options: Partial<OpsServerOptions> = {}): Promise<[number, string]> {
    server ??= await startOpsServer({
      host: '127.0.0.1',
      port: 0,
      live: () => undefined,
      ready: () => 'no session is open',
      metrics: async () => ({ contentType: 'text/plain; version=0.0.4', body: 'up 1\n' }),
      ...options,
    });
    const response = await fetch(`http://127.0.0.1:${server.port}${path}`);
    return [response.status, await response.text()];
  }

  it('answers 200 when a check holds and 503 with its sentence when not', async () => {
    expect(await get('/livez')).to.deep.equal([200, 'ok\n']);
    expect(await get('/readyz?verbose')).to.deep.equal([503, 'no session is open\n']);
  });

  it('hands out metrics', async () => {
    expect(await get('/metrics')).to.deep.equal([200, 'up 1\n']);
  });

  it('hands out counters as JSON, none when there are none', async () => {
    expect(await get('/debug/state')).to.deep.equal([200, '{}\n']);
    await server?.close();
    server = undefined;
    expect(await get('/debug/state', { state: () => ({ streams: 0 }) })).to.deep.equal([200, '{"streams":0}\n']);
  });

  it('names its pages to who asks for another', async () => {
    const [status, body] = await get('/');
    expect([status, body.includes('/livez')]).to.deep.equal([404, true]);
  });

  it('answers 500 when a check throws, and shows no secret of its error', async () => {
    const live = () => {
      throw new Error(`broken with ${TOKEN}`);
    };
    const [status, body] = await get('/livez', { live });
    expect([status, body]).to.deep.equal([500, 'broken with [redacted]\n']);
    expect(await get('/metrics'), 'and lives on').to.deep.equal([200, 'up 1\n']);
  });

  it('says why it cannot listen', async () => {
    await get('/livez');
    const port = server?.port ?? 0;
    const error = await startOpsServer({
      host: '127.0.0.1',
      port,
      live: () => undefined,
      ready: () => undefined,
      metrics: async () => ({ contentType: 'text/plain', body: '' }),
    }).catch((caught: unknown) => caught);
    expect(error).to.have.property('code', 'EADDRINUSE');
  });
});
