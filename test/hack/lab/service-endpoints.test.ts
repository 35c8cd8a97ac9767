import { expect } from 'chai';
import type { Service } from '../../../hack/lab/api/objects.ts';
import type { Pod } from '../../../hack/lab/api/pod.ts';
import { readyEndpoints } from '../../../hack/lab/service-endpoints.ts';

describe('hack/lab/service-endpoints', () => {
  const metadata = { name: 'gateway', uid: '', resourceVersion: '' };
  const service = (targetPort?: number | string): Service => {
    return {
      metadata,
      spec: { selector: { app: 'gateway' }, ports: [{ name: 'https', port: 8443, ...(targetPort && { targetPort }) }] },
    };
  };
  const pod = (podIP: string, rest: { ready?: string; app?: string; deletionTimestamp?: string } = {}): Pod => {
    const { ready = 'True', app = 'gateway', deletionTimestamp } = rest;
    return {
      metadata: {
        ...metadata,
        labels: { app },
        creationTimestamp: podIP,
        ...(deletionTimestamp && { deletionTimestamp }),
      },
      spec: { containers: [{ name: 'main', ports: [{ name: 'tls', containerPort: 9443 }] }] },
      status: { podIP, conditions: [{ type: 'Ready', status: ready }] },
    };
  };

  it('are the ready pods that the selector names and nobody deletes', () => {
    const pods = [
      pod('127.1.0.5'),
      pod('127.1.0.4', { ready: 'False' }),
      pod('127.1.0.3', { app: 'agent' }),
      pod('127.1.0.2', { deletionTimestamp: 'now' }),
      pod('127.1.0.1'),
    ];
    expect(readyEndpoints(service(), 8443, pods).map(({ host }) => host)).to.deep.equal(['127.1.0.1', '127.1.0.5']);
  });

  it('have the port that the Service sends to', () => {
    const portFor = (targetPort?: number | string) =>
      readyEndpoints(service(targetPort), 'https', [pod('127.1.0.1')])[0]?.port;
    expect([portFor(), portFor(7443), portFor('tls'), portFor('none')]).to.deep.equal([8443, 7443, 9443, undefined]);
  });

  it('are none without a Service or for another port', () => {
    expect(readyEndpoints(undefined, 8443, [pod('127.1.0.1')])).to.deep.equal([]);
    expect(readyEndpoints(service(), 80, [pod('127.1.0.1')])).to.deep.equal([]);
  });
});
