const remote = { placement: 'Kubeconfig', kubeconfigSecretRef: { name: 'prod' } };

/** Specs on which the API server and validateSpec once said different things, and corners that are easily lost again. */
export const REGRESSIONS: Readonly<Record<string, unknown>> = {
  'a duration that overflows in CEL': { timeouts: { request: '999999999999h' } },
  'a null where a default stands': { agent: { replicas: null, resources: null } },
  'a null without a default': { agent: { image: null, kubeconfigSecretRef: null } },
  'a null in a map': { agent: { resources: { requests: { cpu: null } } } },
  'a null for a required field': { agent: { placement: 'Kubeconfig', kubeconfigSecretRef: { name: null } } },
  'a null for an unknown field': { agent: { nodeSelector: null } },
  'a null for the whole': null,
  'a namespace that is none': { agent: { namespace: 'Foo_Bar' } },
  'a namespace with a line end': { agent: { namespace: 'team-a\n' } },
  'a Secret with an impossible name': { agent: { ...remote, kubeconfigSecretRef: { name: 'a..b' } } },
  'an empty reference': { agent: { placement: 'Kubeconfig', kubeconfigSecretRef: {} } },
  'a kubeconfig that nobody asked for': { agent: { kubeconfigSecretRef: { name: 'prod' } } },
  'no kubeconfig where one is needed, beside a number out of bounds': {
    agent: { placement: 'Kubeconfig', replicas: 0 },
  },
  'a proxy with a password': { agent: { proxyURL: 'http://user:secret@proxy.example:3128' } },
  'a proxy with an impossible port': { agent: { proxyURL: 'http://proxy.example:65536' } },
  'a proxy by its IPv6 address': { agent: { proxyURL: 'http://[2001:db8::1]:3128/', noProxy: '10.0.0.0/8' } },
  'exceptions from no proxy': { agent: { noProxy: '' } },
  'an amount beyond 64 bits': { agent: { resources: { requests: { cpu: 2 ** 63 } } } },
  'an amount with an exponent': { agent: { resources: { requests: { cpu: '5e-1' }, limits: { cpu: '500m' } } } },
  'requests beyond the limit that nobody wrote': { agent: { resources: { requests: { memory: '257Mi' } } } },
  'requests beyond limits that are none': {
    agent: { resources: { requests: { cpu: '2' }, limits: { cpu: 'one' } } },
  },
  'an object for a text': { agent: { image: { name: 'x' } } },
  'a list for an object': { limits: [] },
  'a wrong type beside a broken rule': { agent: { replicas: 'two', namespace: 'Foo' } },
  'two sizes out of bounds': { limits: { maxStreamBufferBytes: '999999999999999Gi', maxBufferBytes: '5Gi' } },
  ...Object.fromEntries(
    [
      'authentication.kubernetes.io/pod-name',
      'a.b.k8s.io/x',
      'k8s.io/',
      'kubernetes.io',
      'mykubernetes.io/x',
      'a/k8s.io/x',
    ].map((key) => [`the extra ${key}`, { access: { impersonate: { extras: ['team', key] } } }]),
  ),
  'an opening beyond its own bound': { circuitBreaker: { openDuration: '6m' } },
  'a whole that is too small by itself': { limits: { maxBufferBytes: 5 } },
};
