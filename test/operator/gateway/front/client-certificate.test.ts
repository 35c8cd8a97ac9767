import 'reflect-metadata'; // tsyringe, below @peculiar/x509, asks for it at load.
import { X509Certificate } from 'node:crypto';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { connect, createServer, type TLSSocket } from 'node:tls';
import * as x509 from '@peculiar/x509';
import { expect } from 'chai';
import { CertificateLogins } from '../../../../operator/gateway/front/certificate-logins.ts';
import { issueAuthority, issueServing } from '../../../../operator/gateway/front/certificates.ts';
import { vouchedFor } from '../../../../operator/gateway/front/client-certificate.ts';
import { type Said, SERVER_AUTH, Signer } from '../../../support/client-certificates.ts';
import { ManualClock } from '../../../support/manual-clock.ts';

/** What a server sees of a client that shows this chain. */
async function shown(chain: { readonly cert: string; readonly key: string }): Promise<X509Certificate> {
  const authority = await issueAuthority(new Date());
  const serving = await issueServing(authority, ['localhost'], new Date());
  const server = createServer({ ...serving, requestCert: true, rejectUnauthorized: false });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const socket = connect({ port, host: '127.0.0.1', servername: 'localhost', ca: authority.cert, ...chain });
  const [seen] = (await once(server, 'secureConnection')) as [TLSSocket];
  const certificate = seen.getPeerX509Certificate();
  socket.destroy();
  server.close();
  if (certificate === undefined) throw new Error('nothing was shown');
  return certificate;
}

describe('operator/gateway/front/client-certificate', () => {
  let hub: Signer;
  before(async () => {
    hub = await Signer.authority();
  });
  const read = (signer: Signer) => new X509Certificate(signer.cert);
  const verdict = (leaf: X509Certificate, ...authorities: Signer[]) => {
    const found = vouchedFor(leaf, authorities.map(read));
    return typeof found === 'string' ? found : found.user;
  };

  it('takes CN for the name, each O for a group, as the API server does', async () => {
    const leaf = read(await hub.issue());
    expect(verdict(leaf, await Signer.authority(), hub)).to.deep.equal({
      username: 'jane',
      uid: '',
      groups: ['dev', 'ops', 'system:authenticated'],
      extra: {
        'authentication.kubernetes.io/credential-id': [
          `X509SHA256=${leaf.fingerprint256.replaceAll(':', '').toLowerCase()}`,
        ],
      },
    });
  });

  const LEAVES: readonly [string, Said, string][] = [
    ['is for servers', { usages: [SERVER_AUTH] }, 'not for clients'],
    ['does not say what it is for', { usages: undefined }, 'not for clients'],
    ['has no common name', { subject: 'O=dev' }, 'exactly one common name'],
    ['has two', { subject: 'CN=jane,CN=root' }, 'exactly one common name'],
    [
      'demands what is not known here',
      { extensions: [new x509.Extension('1.2.3.4', true, new Uint8Array([5, 0]))] },
      '1.2.3.4',
    ],
    ['is signed with SHA-1', { hash: 'SHA-1' }, 'SHA-1'],
  ];
  for (const [what, said, sentence] of LEAVES) {
    it(`knows nobody by one that ${what}`, async () => {
      expect(verdict(read(await hub.issue(said)), hub)).to.include(sentence);
    });
  }

  it('knows nobody by one that no authority signed, though it has its name', async () => {
    const namesake = await Signer.authority();
    expect(verdict(read(await namesake.issue()), hub)).to.include('no authority');
    expect(verdict(read(await namesake.issue()))).to.include('no authority');
    expect(
      verdict(read(await Signer.authority({ subject: 'CN=jane', usages: ['1.3.6.1.5.5.7.3.2'] })), hub),
    ).to.include('no authority');
  });

  it('knows somebody through an authority between', async () => {
    const between = await hub.issue({ subject: 'CN=between', isAuthority: true, usages: undefined });
    const jane = await between.issue();
    expect(verdict(await shown(await jane.keyPair(between)), hub)).to.include({ username: 'jane' });
    expect(verdict(await shown(await jane.keyPair()), hub), 'not shown').to.include('no authority');
  });

  const BETWEEN: readonly [string, Said, string][] = [
    ['is none', { isAuthority: false }, 'no authority'],
    ['may not sign', { mayNotSign: true }, 'no authority'],
    ['is for servers', { usages: [SERVER_AUTH] }, 'not for clients'],
    [
      'has name constraints',
      { extensions: [new x509.Extension('2.5.29.30', false, new Uint8Array([0x30, 0]))] },
      '2.5.29.30',
    ],
  ];
  for (const [what, said, sentence] of BETWEEN) {
    it(`knows nobody through one between that ${what}`, async () => {
      const between = await hub.issue({ subject: 'CN=between', isAuthority: true, usages: undefined, ...said });
      const jane = await between.issue();
      expect(verdict(await shown(await jane.keyPair(between)), hub)).to.include(sentence);
    });
  }

  it('knows nobody by a chain that is longer than its authority allows, or than anybody needs', async () => {
    const strict = await Signer.authority({ pathLength: 0 });
    const between = await strict.issue({ subject: 'CN=between', isAuthority: true, usages: undefined });
    expect(verdict(await shown(await (await between.issue()).keyPair(between)), strict)).to.include('so long a chain');
    expect(verdict(read(await strict.issue()), strict)).to.include({ username: 'jane' });
    const links = [hub];
    for (let at = 0; at < 6; at++) {
      links.unshift(await (links[0] as Signer).issue({ subject: `CN=${at}`, isAuthority: true, usages: undefined }));
    }
    const jane = await (links[0] as Signer).issue();
    expect(verdict(await shown(await jane.keyPair(...links)), hub)).to.include('no authority');
  });

  it('a chain is good while all of it is: from the latest beginning to the earliest end', async () => {
    const [begin, end] = [new Date('2026-02-01T00:00:00Z'), new Date('2026-03-01T00:00:00Z')];
    const short = await Signer.authority({ notBefore: begin, notAfter: end });
    const found = vouchedFor(read(await short.issue()), [read(short)]);
    expect(found).to.include({ notAfterMs: end.getTime() });
  });

  describe('CertificateLogins', () => {
    /** ManualClock begins with 2026. */
    const DAY_MS = 86_400_000;
    const jane = async () =>
      read(
        await hub.issue({ notBefore: new Date('2026-01-02T00:00:00Z'), notAfter: new Date('2026-01-03T00:00:00Z') }),
      );
    const logins = (clock: ManualClock) => new CertificateLogins(clock);
    let old: Signer;
    before(async () => {
      old = hub;
      hub = await Signer.authority({ notBefore: new Date('2025-01-01T00:00:00Z') });
    });
    after(() => {
      hub = old;
    });

    it('looks at the time for each request: a certificate expires on a connection that lives', async () => {
      const clock = new ManualClock();
      const all = logins(clock);
      const certificate = await jane();
      expect(all.login(certificate)).to.equal('unknown');
      all.setAuthorities(hub.cert);
      expect(all.login(certificate)).to.deep.equal({ trouble: 'it is not valid yet' });
      clock.advance(1.5 * DAY_MS);
      expect(all.login(certificate)).to.have.nested.property('user.username', 'jane');
      clock.advance(DAY_MS);
      expect(all.login(certificate)).to.deep.equal({ trouble: 'it has expired' });
    });

    it('looks again when the authorities change, and leaves out what is none', async () => {
      const clock = new ManualClock();
      clock.advance(1.5 * DAY_MS);
      const all = logins(clock);
      const certificate = await jane();
      const other = await Signer.authority();
      all.setAuthorities(
        `# comment\n${other.cert}-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n${hub.cert}`,
      );
      expect(all.login(certificate)).to.have.nested.property('user.username', 'jane');
      all.setAuthorities(other.cert);
      expect(all.login(certificate)).to.deep.equal({ trouble: 'no authority of the hub signed it' });
      all.setAuthorities('');
      expect(all.login(certificate)).to.have.property('trouble');
    });
  });
});
