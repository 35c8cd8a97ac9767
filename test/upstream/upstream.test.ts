import { createServer, type Server } from 'node:https';
import type { AddressInfo, Socket } from 'node:net';
import type { TLSSocket } from 'node:tls';
import { expect } from 'chai';
import { Authority } from '../../hack/lab/cluster/certificates.ts';
import { RequestBody } from '../../upstream/request-body.ts';
import { Upstream, type UpstreamOptions } from '../../upstream/upstream.ts';
import type { UpstreamEvents } from '../../upstream/upstream-request.ts';
import { ManualClock } from '../support/manual-clock.ts';

const NAME = 'api.far.example';

/** What one exchange heard, at its end. */
interface Heard {
  readonly status: number;
  readonly error: Error | undefined;
}

describe('upstream/upstream', () => {
  let authority: Authority;
  let server: Server;
  let url: string;
  const seen: string[] = [];

  before(async () => {
    authority = await Authority.create('test');
    const { certificatePem: cert, keyPem: key } = await authority.server(NAME, { dns: [NAME], ip: [] });
    const ca = authority.certificatePem;
    const note = (path: string | undefined, socket: Socket) => {
      const { CN: user } = (socket as TLSSocket).getPeerCertificate().subject ?? {};
      seen.push(`${user} ${path}`);
    };
    server = createServer({ cert, key, ca, requestCert: true, rejectUnauthorized: false }, (request, response) => {
      note(request.url, request.socket);
      response.end('ok');
    });
    server.on('upgrade', (request, socket) => {
      note(request.url, request.socket);
      socket.end('HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n');
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    url = `https://127.0.0.1:${(server.address() as AddressInfo).port}`;
  });
  after(() => {
    server.closeAllConnections();
    server.close();
  });
  beforeEach(() => seen.splice(0));

  const ask = async (options: Partial<UpstreamOptions>, isUpgrade: boolean): Promise<Heard> => {
    const { certificatePem: ca } = authority;
    const upstream = new Upstream({ url, ca, connectMs: 5_000, clock: new ManualClock(), ...options });
    const body = new RequestBody(() => {});
    body.end();
    const headers = isUpgrade ? ['Connection', 'Upgrade', 'Upgrade', 'websocket'] : [];
    const request = { method: 'GET', path: '/api?a=b', headers, headersTimeoutMs: 5_000 };
    const { signal } = new AbortController();
    const heard = await new Promise<Heard>((resolve) => {
      let status = 0;
      let error: Error | undefined;
      const events: UpstreamEvents = {
        onStart: () => {},
        onHead: (code) => {
          status = code;
        },
        onData: () => {},
        onEnd: () => {},
        onError: (why) => {
          error = why;
        },
        onGone: () => resolve({ status, error }),
      };
      if (isUpgrade) upstream.upgrade({ ...request, body }, events, signal);
      else upstream.exchange({ ...request, body: undefined }, events, signal);
    });
    await upstream.close();
    return heard;
  };

  for (const [what, isUpgrade, status] of [
    ['an ordinary request', false, 200],
    ['an upgrade', true, 101],
  ] as const) {
    it(`${what} says by its certificate who it is, below the path, to the server of this name`, async () => {
      const { certificatePem: cert, keyPem: key } = await authority.client({ commonName: 'jane' });
      const certificate = { cert, key };
      const heard = await ask({ url: `${url}/clusters/far`, serverName: NAME, certificate }, isUpgrade);
      expect([heard.status, seen]).to.deep.equal([status, ['jane /clusters/far/api?a=b']]);
    });

    it(`${what} goes to no server of another name`, async () => {
      for (const serverName of [undefined, 'other.example']) {
        const { error } = await ask({ serverName }, isUpgrade);
        expect(error).to.have.property('code', 'ERR_TLS_CERT_ALTNAME_INVALID');
      }
      expect(seen).to.deep.equal([]);
    });
  }
});
