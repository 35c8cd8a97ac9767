import { readFileSync } from 'node:fs';
import { expect } from 'chai';
import { parse, parseAllDocuments } from 'yaml';
import { agentClusterRole } from '../../../../operator/controller/objects/access.ts';

const read = (name: string) => readFileSync(new URL(`../../../../config/remote/${name}`, import.meta.url), 'utf8');

interface Role {
  readonly rules: readonly { readonly resources: readonly string[]; readonly verbs: readonly string[] }[];
}

describe('config/remote', () => {
  it('ships the ClusterRole that agents are bound to', () => {
    expect(parse(read('agent_cluster_role.yaml'))).to.deep.equal(agentClusterRole());
  });

  it('gives the user of the kubeconfig no wildcard, no escalation, and no Secret outside of the agents’ namespace', () => {
    const [clusterRole, role] = ['placer_cluster_role.yaml', 'placer_role.yaml'].map(
      (name) => parseAllDocuments(read(name))[0]?.toJS() as Role,
    );
    const all = [...(clusterRole?.rules ?? []), ...(role?.rules ?? [])];
    expect(all.flatMap(({ verbs, resources }) => [...verbs, ...resources])).not.to.include.members(['*']);
    expect(all.flatMap(({ verbs }) => verbs)).not.to.include('escalate');
    expect(clusterRole?.rules.flatMap(({ resources }) => resources)).to.have.members([
      'namespaces',
      'clusterroles',
      'clusterrolebindings',
    ]);
  });
});
