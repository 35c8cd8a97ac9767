import fc from 'fast-check';
import { pathTrouble } from '../../tunnel/request-path.ts';

/** A request line as the API server sees it behind a tunnel. */
export interface Line {
  readonly method: string;
  /** Raw, with its query. */
  readonly path: string;
}

const SEGMENTS = [
  ...['api', 'apis', 'v1', 'v1beta1', 'apps', 'batch', 'namespaces', 'watch', 'proxy', 'pods', 'nodes', 'services'],
  ...['log', 'exec', 'attach', 'portforward', 'status', 'finalize', 'scale', 'ephemeralcontainers', 'a', 'kube-system'],
  ...[
    'metrics',
    'debug',
    'pprof',
    'version',
    'openapi',
    'v3',
    'Watch',
    'PROXY',
    'x%2fy'.slice(0, 1),
    '%77atch',
    '%70roxy',
  ],
  ...['p%6fds', 'na%6Despaces', '%6c%6f%67', 'a%20b', 'a+b', '%c3%a4', 'name:http', '~', 'a;b', 'a,b', '.a', 'a..'],
];
const QUERY_KEYS = [
  'watch',
  'Watch',
  'watch%20',
  '%77atch',
  'fieldSelector',
  'timeoutSeconds',
  'limit',
  'follow',
  'resourceVersion',
];
const QUERY_VALUES = [
  ...['', 'true', 'false', '0', '1', 't', 'f', 'TRUE', 'False', 'FALSE', 'yes', 'no', '%66alse', '%30', ' ', '+', 'a'],
  ...[
    'metadata.name=a',
    'metadata.name%3Da',
    'metadata.name==a',
    'metadata.name%3D%3Da',
    'metadata.name!=a',
    'metadata.name=a%2Fb',
  ],
  ...[
    'metadata.name=a,spec.nodeName=n',
    'spec.nodeName=n,metadata.name=a',
    'metadata.name=',
    'metadata.name=a,metadata.name=b',
  ],
  ...[
    'metadata.name=a=b',
    'metadata.name=%2e%2e',
    'metadata.name=a%5C%2Cb',
    'metadata.name',
    '=',
    ',',
    'metadata.name=a,',
    '-1',
    '%',
    '%zz',
    'a;b',
    '%00',
  ],
];

const segment = fc.constantFrom(...SEGMENTS);
const start = fc.constantFrom(
  '/api',
  '/api/v1',
  '/apis',
  '/apis/apps',
  '/apis/apps/v1',
  '/api/v1/namespaces/a',
  '/apis/apps/v1/namespaces/a',
  '',
);
const pair = fc
  .tuple(fc.constantFrom(...QUERY_KEYS), fc.option(fc.constantFrom(...QUERY_VALUES)))
  .map(([key, value]) => (value === null ? key : `${key}=${value}`));
const query = fc
  .tuple(fc.array(pair, { minLength: 1, maxLength: 3 }), fc.constantFrom('&', '&', '&', '&&', ';', '?'))
  .map(([pairs, between]) => `?${pairs.join(between)}`);
const line = fc
  .record({
    method: fc.constantFrom('GET', 'GET', 'GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'DELETE', 'OPTIONS'),
    first: start,
    segments: fc.array(segment, { maxLength: 6 }),
    slash: fc.constantFrom('', '', '', '/'),
    query: fc.option(query, { nil: '' }),
  })
  .map(({ method, first, segments, slash, query: asked }): Line => {
    const path = [first, ...segments].join('/') || '/';
    return { method, path: `${path === '/' ? path : path + slash}${asked.replaceAll(' ', '%20')}` };
  })
  .filter(({ path }) => path.startsWith('/') && pathTrouble(path) === undefined);

/** Different lines, the same for the same seed: what clients send, and what they would not. */
export function someLines(count: number, seed: number): Line[] {
  const lines = fc.sample(line, { numRuns: count, seed });
  return [...new Map(lines.map((one) => [`${one.method} ${one.path}`, one])).values()];
}
