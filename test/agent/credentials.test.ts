import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { filesToAppear, readGatewayCredentials, ServiceAccount } from '../../agent/credentials.ts';
import { ManualClock } from '../support/manual-clock.ts';
import { until } from '../support/turns.ts';

const PEM = '-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n';
const messageOf = (attempt: Promise<unknown>) =>
  attempt.then(
    () => '',
    (error: Error) => error.message,
  );

describe('agent/credentials', () => {
  let folder: string;
  const clock = new ManualClock();
  const at = (name: string) => join(folder, name);

  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'credentials-'));
  });
  afterEach(() => rm(folder, { recursive: true }));

  it('reads the token of the moment', async () => {
    await Promise.all([writeFile(at('token'), ' ct1.a.b\n'), writeFile(at('ca.crt'), PEM)]);
    const files = { tokenFile: at('token'), caFile: at('ca.crt') };
    expect(await readGatewayCredentials(files)).to.deep.equal({ token: 'ct1.a.b', ca: PEM });
    await writeFile(at('token'), 'ct1.c.d');
    expect((await readGatewayCredentials(files)).token).to.equal('ct1.c.d');
  });

  it('names the file that cannot be used', async () => {
    const files = { tokenFile: at('token'), caFile: at('ca.crt') };
    await writeFile(at('ca.crt'), PEM);
    expect(await messageOf(readGatewayCredentials(files))).to.equal(`cannot read ${at('token')}`);
    await writeFile(at('token'), 'two words');
    expect(await messageOf(readGatewayCredentials(files))).to.equal(`${at('token')} holds no bearer token`);
    await Promise.all([writeFile(at('token'), 'ct1.a.b'), writeFile(at('ca.crt'), 'nothing')]);
    expect(await messageOf(readGatewayCredentials(files))).to.equal(`${at('ca.crt')} holds no PEM certificate`);
  });

  it('waits for files, says once which is missing, and can be told to stop', async () => {
    const missing: string[] = [];
    const stop = new AbortController();
    const appeared = filesToAppear([at('a'), at('b')], clock, (path) => missing.push(path), stop.signal);
    await until(() => clock.pending === 1);
    await writeFile(at('a'), 'x');
    clock.advance(1_000);
    await until(() => clock.pending === 1);
    await writeFile(at('b'), 'x');
    clock.advance(1_000);
    await appeared;
    expect(missing).to.deep.equal([at('a')]);
    const never = messageOf(filesToAppear([at('c')], clock, () => {}, stop.signal));
    await until(() => clock.pending === 1);
    stop.abort(new Error('stopped'));
    expect(await never).to.equal('stopped');
    expect(clock.pending).to.equal(0);
  });

  describe('ServiceAccount', () => {
    const cas: string[] = [];
    const account = () => new ServiceAccount({ folder, clock, onCa: (ca) => cas.push(ca) });

    it('reads a rotated token after at most a minute, the CA before it', async () => {
      await Promise.all([writeFile(at('token'), 'one'), writeFile(at('ca.crt'), PEM)]);
      const own = account();
      expect(await Promise.all([own.token(), own.token()])).to.deep.equal(['one', 'one']);
      expect(cas).to.deep.equal([PEM]);
      await writeFile(at('token'), 'two');
      clock.advance(59_999);
      expect(await own.token()).to.equal('one');
      clock.advance(1);
      expect(await own.token()).to.equal('two');
    });

    it('reads again at once when the API server did not accept it', async () => {
      await Promise.all([writeFile(at('token'), 'one'), writeFile(at('ca.crt'), PEM)]);
      const own = account();
      await own.token();
      await writeFile(at('token'), 'two');
      own.expire();
      expect(await own.token()).to.equal('two');
    });

    it('does not remember a failure', async () => {
      await writeFile(at('ca.crt'), PEM);
      const own = account();
      expect(await messageOf(own.token())).to.equal(`cannot read ${at('token')}`);
      await writeFile(at('token'), 'one');
      expect(await own.token()).to.equal('one');
    });
  });
});
