import type { CurlStep } from './curl.ts';

const MEBIBYTE = 2 ** 20;
const COLLECTION = '/api/v1/namespaces/default/configmaps';
const OBJECT = `${COLLECTION}/curled`;
const ROLES = '/apis/rbac.authorization.k8s.io/v1/clusterroles?resourceVersion={version}&resourceVersionMatch=Exact';

const PROTOBUF = 'application/vnd.kubernetes.protobuf';
const OPENAPI2_PROTOBUF = 'application/com.github.proto-openapi.spec.v2@v1.0+protobuf';
const OPENAPI3_PROTOBUF = 'application/com.github.proto-openapi.spec.v3@v1.0+protobuf';
const AGGREGATED = 'application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList';

const accept = (type: string): string[] => ['--header', `accept: ${type}`];
const patch = (type: string, text: string): string[] => [
  ...['--request', 'PATCH', '--header', `content-type: application/${type}-patch+json`],
  ...['--data-binary', text],
];
const configMap = (data: Record<string, string>): string =>
  JSON.stringify({ apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'curled' }, data });
/** Blanks between tokens are JSON, and no part of the object. */
const padded = (text: string, bytes: number): string => `{${' '.repeat(bytes)}${text.slice(1)}`;

const READING: readonly CurlStep[] = [
  { title: 'GET /version', path: '/version', status: 200 },
  { title: 'a path that the API server does not know', path: '/nowhere', status: 404 },
  { title: 'an object that is not there', path: OBJECT, status: 404 },
  { title: 'one object as protobuf', path: '/api/v1/namespaces/kube-system', args: accept(PROTOBUF), status: 200 },
  { title: 'a list as JSON', path: ROLES, status: 200 },
  { title: 'a list as protobuf', path: ROLES, args: accept(PROTOBUF), status: 200 },
  { title: 'a list in a format of nobody', path: ROLES, args: accept('text/csv'), status: 406 },
  { title: 'a list, compressed', path: ROLES, args: ['--header', 'accept-encoding: gzip'], status: 200 },
  { title: 'the same, unpacked by curl', path: ROLES, args: ['--compressed'], status: 200 },
  { title: 'aggregated discovery', path: '/apis', args: accept(AGGREGATED), status: 200 },
  { title: 'aggregated discovery of the core', path: '/api', args: accept(AGGREGATED), status: 200 },
  { title: 'OpenAPI v2 as JSON', path: '/openapi/v2', status: 200 },
  { title: 'OpenAPI v2 as protobuf', path: '/openapi/v2', args: accept(OPENAPI2_PROTOBUF), status: 200 },
  { title: 'OpenAPI v3: which documents there are', path: '/openapi/v3', status: 200 },
  { title: 'OpenAPI v3: a document', path: '/openapi/v3/apis/apps/v1', status: 200 },
  {
    title: 'OpenAPI v3: a document as protobuf',
    path: '/openapi/v3/apis/apps/v1',
    args: accept(OPENAPI3_PROTOBUF),
    status: 200,
  },
  {
    title: 'OpenAPI v3: a document that has changed since its address was told',
    path: '/openapi/v3/apis/apps/v1?hash=outdated',
    args: ['--location'],
    status: 200,
  },
  { title: 'OpenAPI v2, and its ETag', path: '/openapi/v2', args: ['--etag-save', '{etag}'], status: 200 },
  { title: 'OpenAPI v2 if it has changed', path: '/openapi/v2', args: ['--etag-compare', '{etag}'], status: 304 },
  { title: 'HEAD', path: '/openapi/v2', args: ['--head'], status: 200 },
  { title: 'HEAD of an object, which is not served', path: '/api/v1/namespaces', args: ['--head'], status: 405 },
  { title: 'OPTIONS', path: '/api/v1/namespaces', args: ['--request', 'OPTIONS'], status: 405 },
];

const WRITING: readonly CurlStep[] = [
  { title: 'POST', path: COLLECTION, body: configMap({ color: 'red' }), status: 201 },
  { title: 'POST of what is there', path: COLLECTION, body: configMap({ color: 'red' }), status: 409 },
  { title: 'POST of what is no JSON', path: COLLECTION, body: '{"apiVersion":', status: 400 },
  { title: 'PATCH', path: OBJECT, args: patch('merge', '{"data":{"color":"blue"}}'), status: 200 },
  { title: 'PATCH of a kind that does not exist', path: OBJECT, args: patch('magic', '{}'), status: 415 },
  {
    title: 'PUT of a body of 2 MiB, which curl announces first',
    path: OBJECT,
    args: ['--request', 'PUT'],
    body: padded(configMap({ color: 'green' }), 2 * MEBIBYTE),
    status: 200,
  },
  { title: 'a watch that the API server ends', path: `${COLLECTION}?watch=1&timeoutSeconds=1`, status: 200 },
  {
    title: 'a watch that curl ends',
    path: `${COLLECTION}?watch=1`,
    args: ['--no-buffer', '--max-time', '2'],
    status: 200,
    exitCode: 28,
  },
  { title: 'DELETE', path: OBJECT, args: ['--request', 'DELETE'], status: 200 },
  { title: 'DELETE of what is gone', path: OBJECT, args: ['--request', 'DELETE'], status: 404 },
];

/** More than the API server reads: it answers without, and over HTTP/2 it may cut its own answer. */
export const TOO_LARGE: CurlStep = {
  title: 'a body that is too large for the API server: its own Status',
  path: OBJECT,
  args: ['--request', 'PUT'],
  body: padded(configMap({ color: 'white' }), 4 * MEBIBYTE),
  status: 413,
};

/** In order: later requests are about what earlier ones made. */
export const CURLING: readonly CurlStep[] = [...READING, ...WRITING];
