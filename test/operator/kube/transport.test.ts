import type { ServerResponse } from 'node:http';
import { expect } from 'chai';
import { ApiError, UnreachableError } from '../../../operator/kube/errors.ts';
import { describeError } from '../../../process/redact.ts';
import { type TlsServer, tlsServer } from './tls-server.ts';

const never = new AbortController().signal;
const get = { method: 'GET', path: '/api/v1/namespaces' } as const;

function answer(response: ServerResponse, status: number, body: unknown, headers: Record<string, string> = {}) {
  response.writeHead(status, { 'content-type': 'application/json', ...headers }).end(JSON.stringify(body));
}

async function errorOf(promise: Promise<unknown>): Promise<unknown> {
  return promise.then(
    () => undefined,
    (error: unknown) => error,
  );
}

describe('operator/kube/transport', () => {
  let server: TlsServer;
  afterEach(() => server.close());

  it('makes 50 calls, one after another and all at once, over at most 2 connections', async () => {
    server = await tlsServer((_, response) => answer(response, 200, { ok: true }));
    for (let call = 0; call < 50; call++) await server.transport.call(get, never);
    expect(server.connections()).to.be.at.most(2);
    await Promise.all(Array.from({ length: 50 }, () => server.transport.call(get, never)));
    expect(server.connections()).to.be.at.most(2);
    expect(server.requests).to.have.length(100);
  }).timeout(10_000);

  it('sends credentials, user agent, query and body', async () => {
    server = await tlsServer((request, response) => {
      request.resume();
      answer(response, 201, {});
    });
    const call = { method: 'POST', path: '/api', query: { dryRun: 'All', no: undefined }, body: { a: 1 } } as const;
    await server.transport.call(call, never);
    const [request] = server.requests;
    expect(request?.url).to.equal('/api?dryRun=All');
    expect(request?.headers.authorization).to.equal('Bearer test-token');
    expect(request?.headers['user-agent']).to.match(/^clustertunnel\//);
    expect(request?.headers['content-type']).to.equal('application/json');
  });

  it("throws the API server's own sentence", async () => {
    const status = { kind: 'Status', reason: 'Forbidden', message: 'pods is forbidden', code: 403 };
    server = await tlsServer((_, response) => answer(response, 403, status));
    const error = await errorOf(server.transport.call(get, never));
    expect(error).to.be.instanceOf(ApiError);
    expect(error).to.include({ status: 403, reason: 'Forbidden', message: 'pods is forbidden' });
  });

  it('comes back after 429 and after 503 with Retry-After', async () => {
    const statuses = [429, 503, 200];
    server = await tlsServer((_, response) => answer(response, statuses.shift() ?? 500, {}, { 'retry-after': '0' }));
    await server.transport.call(get, never);
    expect(server.requests).to.have.length(3);
  });

  it('gives up after four attempts', async () => {
    server = await tlsServer((_, response) => answer(response, 429, {}, { 'retry-after': '0' }));
    expect(await errorOf(server.transport.call(get, never))).to.include({ status: 429 });
    expect(server.requests).to.have.length(4);
  });

  it('does not retry a plain 503', async () => {
    server = await tlsServer((_, response) => answer(response, 503, {}));
    expect(await errorOf(server.transport.call(get, never))).to.include({ status: 503 });
    expect(server.requests).to.have.length(1);
  });

  it('never sends a write twice when the connection breaks', async () => {
    server = await tlsServer((request) => request.socket.destroy());
    const error = await errorOf(server.transport.call({ ...get, method: 'POST', body: {} }, never));
    expect(error).to.be.instanceOf(UnreachableError);
    expect(server.requests).to.have.length(1);
  });

  it('ends a call when its signal aborts', async () => {
    const abort = new AbortController();
    server = await tlsServer(() => abort.abort(new Error('enough')));
    const error = await errorOf(server.transport.call(get, abort.signal));
    expect(error).to.have.property('message', 'enough');
  });

  it('hands out a stream as it arrives', async () => {
    server = await tlsServer((_, response) => {
      response.writeHead(200);
      response.write('first');
    });
    for await (const chunk of await server.transport.stream(get, never)) {
      expect(Buffer.from(chunk).toString()).to.equal('first');
      break;
    }
  });

  it('tells a stream that broke off as no answer, and one that its reader aborted as aborted', async () => {
    server = await tlsServer((_, response) => {
      response.writeHead(200);
      response.write('first');
    });
    const read = async (signal: AbortSignal, end: () => void) => {
      for await (const _ of await server.transport.stream(get, signal)) end();
    };
    const broken = await errorOf(read(never, () => server.requests[0]?.socket.destroy()));
    expect(broken).to.be.instanceOf(UnreachableError);
    const abort = new AbortController();
    const aborted = await errorOf(read(abort.signal, () => abort.abort(new Error('enough'))));
    expect(aborted).to.have.property('message', 'enough');
  });

  it('does not follow a redirect', async () => {
    server = await tlsServer((_, response) => answer(response, 307, {}, { location: '/elsewhere' }));
    expect(await errorOf(server.transport.call(get, never))).to.include({ status: 307 });
    expect(server.requests).to.have.length(1);
  });

  it('uses no proxy of the environment', async () => {
    server = await tlsServer((_, response) => answer(response, 200, { ok: true }));
    const before = process.env['HTTPS_PROXY'];
    process.env['HTTPS_PROXY'] = 'http://127.0.0.1:9';
    try {
      expect(await server.transport.call(get, never)).to.deep.equal({ ok: true });
    } finally {
      if (before === undefined) delete process.env['HTTPS_PROXY'];
      else process.env['HTTPS_PROXY'] = before;
    }
  });

  it('gives up a call that gets no answer, and says how long it waited', async () => {
    server = await tlsServer(() => {}, { callTimeoutMs: 100 });
    const error = await errorOf(server.transport.call(get, never));
    expect(error).to.be.instanceOf(UnreachableError);
    expect(describeError(error)).to.match(/^GET https:.*: no answer in 100 ms$/);
  });

  it("keeps the server's own words when it asks to come back after the deadline", async () => {
    server = await tlsServer((_, response) => answer(response, 429, {}, { 'retry-after': '9' }), {
      callTimeoutMs: 5_000,
    });
    expect(await errorOf(server.transport.call(get, never))).to.include({ status: 429 });
    expect(server.requests).to.have.length(1);
  });

  it('makes as many attempts as its limits say', async () => {
    server = await tlsServer((request) => request.socket.destroy(), { maxAttempts: 2 });
    expect(await errorOf(server.transport.call(get, never))).to.be.instanceOf(UnreachableError);
    expect(server.requests).to.have.length(2);
  });

  it('reads no more of an error than an error may take', async () => {
    server = await tlsServer((_, response) => {
      response.writeHead(500);
      const more = () => {
        while (response.write(Buffer.alloc(16_384, 'x')));
        response.once('drain', more);
      };
      more();
    });
    const error = await errorOf(server.transport.stream(get, never));
    expect(error).to.be.instanceOf(ApiError);
    expect((error as ApiError).message.length).to.be.lessThan(1_000);
  });

  it('opens nothing any more once it is closed, not even for a retry', async () => {
    server = await tlsServer(() => void server.transport.close());
    for (let call = 0; call < 2; call++) {
      expect(await errorOf(server.transport.call(get, never))).to.have.property('message', 'the client is closed');
    }
    expect(server.connections()).to.equal(1);
  });
});
