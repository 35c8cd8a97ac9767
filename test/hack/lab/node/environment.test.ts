import { expect } from 'chai';
import { ConfigError } from '../../../../hack/lab/node/config-error.ts';
import { environmentOf } from '../../../../hack/lab/node/environment.ts';
import { container, facts, sources } from './pod-fixture.ts';

describe('hack/lab/node/environment', () => {
  const known = sources({ login: { user: 'ann', word: 'sesame' } }, { settings: { level: 'debug' } });

  it('takes literals, and fills in variables that stand before them', () => {
    const env = [
      { name: 'A', value: 'one' },
      { name: 'B', value: '$(A) $(GIVEN) $(LATER)' },
      { name: 'LATER', value: 'x' },
    ];
    const variables = environmentOf(container({ env }), facts(), known, { GIVEN: 'node' });
    expect(variables.get('B')).to.equal('one node $(LATER)');
  });

  it('knows the pod', () => {
    const paths = {
      NAME: 'metadata.name',
      NAMESPACE: 'metadata.namespace',
      UID: 'metadata.uid',
      IP: 'status.podIP',
      NODE: 'spec.nodeName',
      ACCOUNT: 'spec.serviceAccountName',
      TIER: "metadata.labels['tier']",
      NOTE: "metadata.annotations['note']",
      NONE: "metadata.labels['none']",
    };
    const env = Object.entries(paths).map(([name, fieldPath]) => ({ name, valueFrom: { fieldRef: { fieldPath } } }));
    expect(Object.fromEntries(environmentOf(container({ env }), facts(), known, {}))).to.deep.equal({
      NAME: 'web',
      NAMESPACE: 'shop',
      UID: 'uid-1',
      IP: '127.9.0.2',
      NODE: 'hub-node',
      ACCOUNT: 'clerk',
      TIER: 'front',
      NOTE: 'a "quoted" word',
      NONE: '',
    });
  });

  it('takes whole objects with a prefix, and env wins over them', () => {
    const envFrom = [{ prefix: 'DB_', secretRef: { name: 'login' } }, { configMapRef: { name: 'settings' } }];
    const env = [{ name: 'level', value: 'info' }];
    const variables = environmentOf(container({ envFrom, env }), facts(), known, {});
    expect(Object.fromEntries(variables)).to.deep.equal({ DB_user: 'ann', DB_word: 'sesame', level: 'info' });
  });

  it('takes single keys; a value from elsewhere is not expanded', () => {
    const tricky = sources({ login: { word: '$(A)' } });
    const env = [
      { name: 'A', value: 'one' },
      { name: 'WORD', valueFrom: { secretKeyRef: { name: 'login', key: 'word' } } },
    ];
    expect(environmentOf(container({ env }), facts(), tricky, {}).get('WORD')).to.equal('$(A)');
  });

  it('leaves an optional variable out, and names what is missing otherwise', () => {
    const reference = (rest: object) => [
      { name: 'X', valueFrom: { secretKeyRef: { name: 'login', key: 'nothing', ...rest } } },
    ];
    const read = (rest: object) => environmentOf(container({ env: reference(rest) }), facts(), known, {});
    expect(read({ optional: true }).has('X')).to.equal(false);
    expect(() => read({})).to.throw(ConfigError, "couldn't find key nothing in Secret shop/login");
    expect(() => read({ name: 'gone' })).to.throw(ConfigError, 'secret "gone" not found');
  });

  it('gives limits in units of the divisor, rounded up', () => {
    const resources = { limits: { memory: '100Mi', cpu: '250m' } };
    const reference = (name: string, resource: string, divisor?: string) => {
      return { name, valueFrom: { resourceFieldRef: { resource, ...(divisor && { divisor }) } } };
    };
    const env = [
      reference('BYTES', 'limits.memory'),
      reference('MIB', 'limits.memory', '1Mi'),
      reference('CORES', 'limits.cpu'),
      reference('MILLICORES', 'limits.cpu', '1m'),
    ];
    const variables = environmentOf(container({ env, resources }), facts(), known, {});
    expect([...variables.values()]).to.deep.equal(['104857600', '100', '1', '250']);
  });
});
