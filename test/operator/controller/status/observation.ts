import type { Spec, SpecInput } from '../../../../crds/types.ts';
import { validateSpec } from '../../../../crds/validate.ts';
import type { DeploymentFacts, Observation } from '../../../../operator/controller/status/observe.ts';

/** The spec with defaults. */
export function specOf(input: SpecInput = {}): Spec {
  const checked = validateSpec(input);
  if ('errors' in checked) throw new Error(checked.errors.join());
  return checked.spec;
}

export const wellDeployment: DeploymentFacts = {
  desired: 2,
  updated: 2,
  ready: 2,
  available: 2,
  isStale: false,
  trouble: undefined,
};

/** A Local tunnel with which all is well, but for `changes`. */
export function observation(changes: Partial<Observation> = {}): Observation {
  return {
    name: 'prod',
    generation: 3,
    endpoint: 'https://gateway.example:8443/clusters/prod',
    specErrors: [],
    spec: specOf(),
    hasKey: true,
    failure: undefined,
    deployment: wellDeployment,
    sessions: {
      liveSessions: 2,
      gateways: 1,
      agents: [
        { instanceId: 'a', version: '0.1.0' },
        { instanceId: 'b', version: '0.1.0' },
      ],
      upstream: {
        healthy: true,
        reason: 'ProbeSucceeded',
        message: 'The API server answered.',
        kubernetesVersion: 'v1.36.3',
        observedAtMs: 99_000,
      },
    },
    nowMs: 100_000,
    evidenceMaxAgeMs: 30_000,
    ...changes,
  };
}
