import { expect } from 'chai';
import { type AnswerFacts, isCompressible } from '../../agent/compressible.ts';

const MINIMUM = 64 * 1024;
const JSON_TYPE = ['Content-Type', 'application/json'];

interface Changes {
  readonly request?: Partial<AnswerFacts['request']>;
  readonly answer?: Partial<AnswerFacts['answer']>;
  readonly settings?: Partial<AnswerFacts['settings']>;
  readonly link?: Partial<Pick<AnswerFacts, 'isOffered' | 'bytesPerSecond'>>;
}

/** A list of pods over a slow link, but for these changes. */
function facts({ request, answer, settings, link }: Changes): AnswerFacts {
  const headers = ['Accept', 'application/json'];
  return {
    request: { method: 'GET', path: '/api/v1/pods', headers, isLongRunning: false, isUpgrade: false, ...request },
    answer: { status: 200, headers: JSON_TYPE, ...answer },
    settings: { mode: 'Auto', minBytes: MINIMUM, ...settings },
    isOffered: true,
    bytesPerSecond: 1_000_000,
    ...link,
  };
}

const at = (path: string): Changes => ({ request: { path } });
const sized = (bytes: number): Partial<AnswerFacts['answer']> => ({
  headers: [...JSON_TYPE, 'Content-Length', String(bytes)],
});
const typed = (type: string): Changes => ({ answer: { headers: ['content-type', type] } });

const DEFLATED: Readonly<Record<string, Changes>> = {
  'a list that does not say how long it is': {},
  'a list in a namespace': at('/api/v1/namespaces/a/configmaps?limit=500'),
  'a list of another group': at('/apis/apps/v1/deployments'),
  'a list as long as the minimum': { answer: sized(MINIMUM) },
  'one long object': { ...at('/api/v1/namespaces/a/configmaps/b'), answer: sized(MINIMUM) },
  'a table': typed('application/json;as=Table;v=v1;g=meta.k8s.io'),
  'JSON with a charset': typed('Application/JSON; charset=utf-8'),
  'the schemas of the API, v2': { ...at('/openapi/v2'), answer: sized(2_000_000) },
  'the schemas of the API, v3': { ...at('/openapi/v3/apis/apps/v1?hash=ABC'), answer: sized(2_000_000) },
  'the fastest link that is slow': { link: { bytesPerSecond: 12_499_999 } },
  'a list that says watch=false': at('/api/v1/pods?watch=false'),
};

const PLAIN: Readonly<Record<string, Changes>> = {
  'what the tunnel says no to': { settings: { mode: 'Off' } },
  'what the gateway cannot read': { link: { isOffered: false } },
  'a link of which nothing is known': { link: { bytesPerSecond: undefined } },
  'a link that is not slow': { link: { bytesPerSecond: 12_500_000 } },
  'a list of Secrets': at('/api/v1/secrets'),
  'Secrets of a namespace': at('/api/v1/namespaces/a/secrets?limit=500'),
  'Secrets, spelled otherwise': at('/api/v1/namespaces/a/%73ecrets'),
  'one Secret': { ...at('/api/v1/namespaces/a/secrets/b'), answer: sized(MINIMUM) },
  'Secrets of another group': at('/apis/apps/v1/secrets'),
  'token reviews': at('/apis/authentication.k8s.io/v1/tokenreviews'),
  'certificate signing requests': at('/apis/certificates.k8s.io/v1/certificatesigningrequests'),
  'a kind that nobody vouches for': at('/apis/example.com/v1/vaults'),
  'the token of a ServiceAccount': {
    request: { method: 'POST', path: '/api/v1/namespaces/a/serviceaccounts/b/token' },
    answer: sized(MINIMUM),
  },
  'a subresource': { ...at('/api/v1/namespaces/a/pods/b/status'), answer: sized(MINIMUM) },
  'a service behind the API server': at('/api/v1/namespaces/a/services/b/proxy/list'),
  'a node behind it': at('/api/v1/nodes/a/proxy/pods'),
  'a log': at('/api/v1/namespaces/a/pods/b/log'),
  'a watch': at('/api/v1/pods?watch=1'),
  'a watch of the old form': at('/api/v1/watch/pods'),
  'what the gateway takes for long-running': { request: { isLongRunning: true } },
  'what may be upgraded': { request: { isUpgrade: true } },
  'other paths': { ...at('/metrics'), answer: sized(MINIMUM) },
  'a path that only begins like the schemas': { ...at('/openapi/v2x'), answer: sized(MINIMUM) },
  'a write': { request: { method: 'POST' } },
  'a collection that is deleted': { request: { method: 'DELETE' } },
  'a head alone': { request: { method: 'HEAD' } },
  'a client who asks for gzip': { request: { headers: ['accept-encoding', 'gzip'] } },
  'a client who asks for no encoding': { request: { headers: ['Accept-Encoding', 'identity'] } },
  'what has an encoding': { answer: { headers: [...JSON_TYPE, 'Content-Encoding', 'gzip'] } },
  'a list below the minimum': { answer: sized(MINIMUM - 1) },
  'one object that does not say how long it is': at('/api/v1/namespaces/a/configmaps/b'),
  protobuf: typed('application/vnd.kubernetes.protobuf'),
  'JSON of another kind': typed('application/json-patch+json'),
  'a text': typed('text/plain'),
  'an answer of no type': { answer: { headers: [] } },
  'an error': { answer: { status: 500, headers: [...JSON_TYPE, 'Content-Length', '100000'] } },
  'a part': { answer: { status: 206, headers: JSON_TYPE } },
};

describe('agent/compressible', () => {
  for (const [what, changes] of Object.entries(DEFLATED)) {
    it(`deflates ${what}`, () => {
      expect(isCompressible(facts(changes))).to.equal(true);
    });
  }

  for (const [what, changes] of Object.entries(PLAIN)) {
    it(`leaves as it is: ${what}`, () => {
      expect(isCompressible(facts(changes))).to.equal(false);
    });
  }
});
