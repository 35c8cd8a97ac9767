import { expect } from 'chai';
import {
  type Doing,
  failureOf,
  isQuota,
  terminating,
  unreachable,
} from '../../../../operator/controller/status/failure.ts';
import { apiErrorOf, UnreachableError } from '../../../../operator/kube/errors.ts';

const hub: Doing = {
  step: 'credentials',
  what: 'apply Secret team/clustertunnel-agent-prod',
  server: 'https://hub.example:6443',
  isRemote: false,
  namespace: 'team',
};
const remote: Doing = {
  ...hub,
  server: 'https://remote.example:6443',
  isRemote: true,
  kubeconfigSecret: 'clustertunnel-system/prod-kubeconfig',
};

/** What the API server answers, as the client throws it. */
function answer(code: number, reason: string, message: string, causes: { reason: string }[] = []) {
  const status = { kind: 'Status', code, reason, message, details: { causes } };
  return apiErrorOf(code, JSON.stringify(status), undefined);
}

const going = answer(403, 'Forbidden', 'secrets "x" is forbidden: unable to create new content', [
  { reason: 'NamespaceTerminating' },
]);
const quota = answer(403, 'Forbidden', 'secrets "x" is forbidden: exceeded quota: small, requested: count/secrets=1');

describe('operator/controller/status/failure', () => {
  const cases: Record<string, { error: Error; doing: Doing; reason: string; words: RegExp; isTerminal: boolean }> = {
    'a 403 at the hub': {
      error: answer(403, 'Forbidden', 'secrets is forbidden'),
      doing: hub,
      reason: 'Forbidden',
      words: /^Could not apply Secret team\/.*: secrets is forbidden\..*`clustertunnel-agent-manager`.*namespace team/,
      isTerminal: true,
    },
    'a 403 at a remote cluster': {
      error: answer(403, 'Forbidden', 'secrets is forbidden'),
      doing: remote,
      reason: 'Forbidden',
      words: /at https:\/\/remote\.example:6443: secrets is forbidden\..*config\/remote/,
      isTerminal: true,
    },
    'a 401 of a remote cluster': {
      error: answer(401, 'Unauthorized', 'Unauthorized'),
      doing: remote,
      reason: 'Unauthorized',
      words:
        /^https:\/\/remote\.example:6443 does not accept .*: Unauthorized\. Renew it in Secret clustertunnel-system\/prod-kubeconfig/,
      isTerminal: true,
    },
    'a 401 of the hub': {
      error: answer(401, 'Unauthorized', 'Unauthorized'),
      doing: hub,
      reason: 'ApplyFailed',
      words: /Unauthorized/,
      isTerminal: false,
    },
    'an object that the API server finds invalid': {
      error: answer(422, 'Invalid', 'Deployment.apps "x" is invalid: spec.template'),
      doing: hub,
      reason: 'ApplyFailed',
      words: /is invalid: spec\.template\. Tried again\./,
      isTerminal: true,
    },
    'a namespace that is going, by the cause': {
      error: going,
      doing: hub,
      reason: 'NamespaceTerminating',
      words: /unable to create new content\. Everything is made anew when the namespace is gone\./,
      isTerminal: false,
    },
    'a namespace that is going, by the words': {
      error: answer(403, 'Forbidden', 'x is forbidden: because it is being terminated'),
      doing: remote,
      reason: 'NamespaceTerminating',
      words: /being terminated/,
      isTerminal: false,
    },
    'an exhausted quota': {
      error: quota,
      doing: hub,
      reason: 'QuotaExceeded',
      words: /exceeded quota: small.*raise the quota/,
      isTerminal: false,
    },
    'a conflict at a remote cluster, where no cache of ours can lag behind': {
      error: answer(409, 'Conflict', 'admission webhook "x" denied the request'),
      doing: remote,
      reason: 'ApplyFailed',
      words: /webhook "x" denied the request\. Tried again\./,
      isTerminal: false,
    },
    'a refusal among the objects of the operator itself': {
      error: answer(403, 'Forbidden', 'secrets is forbidden'),
      doing: { ...hub, namespace: undefined },
      reason: 'Forbidden',
      words: /secrets is forbidden\. If the operator lacks the right, apply config\/rbac\.$/,
      isTerminal: true,
    },
    'a refused connection': {
      error: new UnreachableError('GET https://remote.example:6443/api', { cause: new Error('connect ECONNREFUSED') }),
      doing: remote,
      reason: 'ClusterUnreachable',
      words: /^https:\/\/remote\.example:6443: connect ECONNREFUSED\. Tried again at growing intervals\.$/,
      isTerminal: false,
    },
    'no answer in time': {
      error: new UnreachableError('PATCH https://remote.example:6443/api/v1/x: no answer in 10000 ms'),
      doing: remote,
      reason: 'ClusterUnreachable',
      words: /^https:\/\/remote\.example:6443: no answer in 10000 ms\. Tried/,
      isTerminal: false,
    },
    'a 503 of the API server': {
      error: answer(503, 'ServiceUnavailable', 'etcdserver: leader changed'),
      doing: hub,
      reason: 'ClusterUnreachable',
      words: /^https:\/\/hub\.example:6443: etcdserver: leader changed\. Tried/,
      isTerminal: false,
    },
    'a 429 that retries did not outlast': {
      error: answer(429, 'TooManyRequests', 'too many requests'),
      doing: hub,
      reason: 'ClusterUnreachable',
      words: /too many requests/,
      isTerminal: false,
    },
  };
  for (const [what, { error, doing, reason, words, isTerminal }] of Object.entries(cases)) {
    it(`calls ${what} ${reason}`, () => {
      const failure = failureOf(error, doing);
      expect(failure).to.include({ step: 'credentials', reason, isTerminal });
      expect(failure.message).to.match(words);
    });
  }

  it('gives one dead server one sentence, whichever call met it', () => {
    const cause = new Error('connect ECONNREFUSED 127.0.0.1:6443');
    const failures = ['GET https://remote.example:6443/a', 'PATCH https://remote.example:6443/b'].map((message) =>
      failureOf(new UnreachableError(message, { cause }), remote),
    );
    expect(failures[0]).to.deep.equal(failures[1]);
    expect(unreachable(remote, cause.message)).to.deep.equal(failures[0]);
  });

  for (const [what, error] of Object.entries({
    'a conflict at the hub': answer(409, 'Conflict', 'the object has been modified'),
    'an abort': new Error('the reconcile took too long'),
    'a bug of ours': new TypeError('x is undefined'),
  })) {
    it(`throws ${what} again: it says nothing about the tunnel`, () => {
      expect(() => failureOf(error, hub)).to.throw(error.message);
    });
  }

  it('tells what keeps a namespace that is going, if that is known', () => {
    expect(terminating(hub, 'team', 'Some content has finalizers')).to.deep.equal({
      step: 'credentials',
      reason: 'NamespaceTerminating',
      message:
        'Namespace team is terminating: Some content has finalizers. Everything is made anew when the namespace is gone.',
      isTerminal: false,
    });
    expect(terminating(hub, 'team', '').message).to.match(/^Namespace team is terminating\. /);
  });

  it('knows the words of a quota, wherever they stand', () => {
    expect(isQuota('pods "a" is forbidden: exceeded quota: small')).to.equal(true);
    expect(isQuota('pods "a" is forbidden: violates PodSecurity')).to.equal(false);
  });
});
