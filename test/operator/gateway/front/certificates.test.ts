import { X509Certificate } from 'node:crypto';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { connect, createServer } from 'node:tls';
import { expect } from 'chai';
import {
  issueAuthority,
  issueServing,
  isWhole,
  type KeyPair,
  renewalReason,
  servingNames,
} from '../../../../operator/gateway/front/certificates.ts';

const DAY_MS = 24 * 60 * 60 * 1000;
const NAMES = ['gateway.example.com', 'localhost', '127.0.0.1', '::1'];

/** How a client that trusts only this authority sees a server of this certificate under a name. */
async function handshake(serving: KeyPair, authority: KeyPair, servername: string): Promise<string> {
  const server = createServer(serving, (socket) => socket.end());
  server.on('tlsClientError', () => {});
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const isAddress = /^[\d.]+$/.test(servername);
  const socket = connect({ port, host: '127.0.0.1', ca: authority.cert, ...(isAddress ? {} : { servername }) });
  const outcome = await new Promise<string>((resolve) => {
    socket.once('secureConnect', () => resolve('trusted'));
    socket.once('error', (error: NodeJS.ErrnoException) => resolve(error.code ?? error.message));
  });
  socket.destroy();
  server.close();
  return outcome;
}

describe('operator/gateway/front/certificates', () => {
  const now = new Date();
  let authority: KeyPair;
  let serving: KeyPair;
  before(async () => {
    authority = await issueAuthority(now);
    serving = await issueServing(authority, NAMES, now);
  });

  it('makes an authority that signs and serves nothing itself', () => {
    const cert = new X509Certificate(authority.cert);
    expect(cert.ca).to.equal(true);
    expect(cert.subject).to.equal('CN=clustertunnel-ca');
    expect(cert.verify(cert.publicKey)).to.equal(true);
    expect(isWhole(authority)).to.equal(true);
    expect(Date.parse(cert.validTo) - Date.parse(cert.validFrom)).to.be.above(9 * 365 * DAY_MS);
  });

  it('names hosts as DNS and addresses as IP', () => {
    const cert = new X509Certificate(serving.cert);
    expect(cert.subjectAltName).to.equal(
      'DNS:gateway.example.com, DNS:localhost, IP Address:127.0.0.1, IP Address:0:0:0:0:0:0:0:1',
    );
    expect(cert.checkHost('gateway.example.com')).to.equal('gateway.example.com');
    expect(cert.checkIP('127.0.0.1')).to.equal('127.0.0.1');
    expect(cert.keyUsage).to.deep.equal(['1.3.6.1.5.5.7.3.1']);
    expect(cert.ca).to.equal(false);
  });

  it('is trusted in a real handshake, under its names only, by its own authority only', async () => {
    expect(await handshake(serving, authority, 'gateway.example.com')).to.equal('trusted');
    expect(await handshake(serving, authority, '127.0.0.1')).to.equal('trusted');
    expect(await handshake(serving, authority, 'other.example.com')).to.equal('ERR_TLS_CERT_ALTNAME_INVALID');
    const other = await issueAuthority(now);
    expect(await handshake(serving, other, 'gateway.example.com')).to.match(/CERT|SIGNATURE|ISSUER/);
  });

  it('gives every certificate its own positive serial number', async () => {
    const again = await issueServing(authority, NAMES, now);
    const serials = [serving, again].map(({ cert }) => new X509Certificate(cert).serialNumber);
    expect(serials[0]).to.not.equal(serials[1]);
    for (const serial of serials) expect(Number.parseInt(serial.padStart(32, '0').slice(0, 1), 16)).to.be.below(8);
  });

  it('is valid for clocks that are an hour behind', () => {
    expect(Date.parse(new X509Certificate(serving.cert).validFrom)).to.be.at.most(now.getTime() - 59 * 60 * 1000);
  });

  describe('renewalReason', () => {
    it('lets a fresh certificate stay, addresses in any spelling', () => {
      expect(renewalReason(serving, authority, NAMES, now)).to.equal(undefined);
    });

    it('renews when less than a third of its life is left', () => {
      const inDays = (days: number) => new Date(now.getTime() + days * DAY_MS);
      expect(renewalReason(serving, authority, NAMES, inDays(59))).to.equal(undefined);
      expect(renewalReason(serving, authority, NAMES, inDays(61))).to.equal('less than a third of its life is left');
      expect(renewalReason(serving, authority, NAMES, inDays(400))).to.equal('less than a third of its life is left');
    });

    it('renews when another authority of the same name took over', async () => {
      expect(renewalReason(serving, await issueAuthority(now), NAMES, now)).to.equal('another authority issued it');
    });

    it('renews when a name is missing', () => {
      expect(renewalReason(serving, authority, [...NAMES, 'new.example.com'], now)).to.equal(
        'it does not name new.example.com',
      );
      expect(renewalReason(serving, authority, [...NAMES, '10.0.0.1'], now)).to.equal('it does not name 10.0.0.1');
    });

    it('renews what is damaged, or has the key of another', async () => {
      expect(renewalReason({ ...serving, cert: 'garbage' }, authority, NAMES, now)).to.equal('it is damaged');
      expect(renewalReason({ ...serving, key: 'garbage' }, authority, NAMES, now)).to.equal('it is damaged');
      expect(renewalReason({ ...serving, key: authority.key }, authority, NAMES, now)).to.equal('it is damaged');
    });
  });

  it('serves under the external host, the Service and localhost', () => {
    const local = [
      'clustertunnel-gateway.ns.svc',
      'clustertunnel-gateway.ns.svc.cluster.local',
      'localhost',
      '127.0.0.1',
      '::1',
    ];
    expect(servingNames('https://g.example.com:8443', 'ns')).to.deep.equal(['g.example.com', ...local]);
    expect(servingNames('https://[2001:db8::1]:8443', 'ns')[0]).to.equal('2001:db8::1');
    expect(servingNames('https://localhost', 'ns')).to.have.length(5);
  });
});
