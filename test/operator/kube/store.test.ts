import { expect } from 'chai';
import fc from 'fast-check';
import type { KubeObject } from '../../../operator/kube/objects.ts';
import { type Change, Store } from '../../../operator/kube/store.ts';

const object = (name: string, resourceVersion = '1', label = 'x'): KubeObject => ({
  apiVersion: 'v1',
  kind: 'Secret',
  metadata: { name, namespace: 'ns', resourceVersion, labels: { tunnel: label } },
});
const indexes = { tunnel: ({ metadata }: KubeObject) => [metadata.labels?.['tunnel'] ?? ''] };

describe('operator/kube/store', () => {
  it('finds objects by key and by index', () => {
    const store = new Store<KubeObject>({ indexes });
    store.set(object('a'));
    store.set(object('b', '1', 'y'));
    expect(store.get('ns/a')?.metadata.name).to.equal('a');
    expect(store.byIndex('tunnel', 'y').map(({ metadata }) => metadata.name)).to.deep.equal(['b']);
    expect(() => store.byIndex('nope', 'y')).to.throw(RangeError);
  });

  it('tells a listener what was before, and what went', () => {
    const changes: Change<KubeObject>[] = [];
    const store = new Store<KubeObject>({ onChange: (change) => changes.push(change) });
    const [first, second] = [object('a', '1'), object('a', '2')];
    store.set(first);
    store.set(second);
    store.delete(second);
    store.delete(second);
    expect(changes).to.deep.equal([
      { object: first, previous: undefined, isGone: false },
      { object: second, previous: first, isGone: false },
      { object: second, previous: second, isGone: true },
    ]);
  });

  it('is quiet about objects that a new list finds unchanged', () => {
    const names: string[] = [];
    const store = new Store<KubeObject>({ onChange: (change) => names.push(change.object.metadata.name) });
    store.replaceAll([object('a'), object('b')]);
    names.length = 0;
    store.replaceAll([object('a'), object('c')]);
    expect(names).to.deep.equal(['b', 'c']);
  });

  it('property: an index holds exactly what a scan finds', () => {
    const label = fc.constantFrom('x', 'y', 'z');
    const step = fc.record({ name: fc.constantFrom('a', 'b', 'c'), label, isGone: fc.boolean() });
    fc.assert(
      fc.property(fc.array(step), (steps) => {
        const store = new Store<KubeObject>({ indexes });
        for (const { name, label: value, isGone } of steps) {
          if (isGone) store.delete(object(name));
          else store.set(object(name, '1', value));
        }
        for (const value of ['x', 'y', 'z']) {
          const scanned = store.list().filter(({ metadata }) => metadata.labels?.['tunnel'] === value);
          expect(store.byIndex('tunnel', value)).to.have.members(scanned);
        }
      }),
    );
  });
});
