import { type ApiClient, isStatus } from '../api/client.ts';
import { eventually } from '../pause.ts';

const RBAC = '/apis/rbac.authorization.k8s.io/v1/clusterrolebindings';
const DEFAULT_ACCOUNT_TIMEOUT_MS = 60_000;

/** Who may do what in a fresh cluster, and the first sign of life of its controllers. */
export async function prepareCluster(client: ApiClient, hasRealNode: boolean): Promise<void> {
  await bind(client, 'lab:admins', 'cluster-admin', { kind: 'Group', name: 'lab:admins' });
  // Without node authorizer the process node has the rights of the role that Kubernetes ships for kubelets.
  if (!hasRealNode) await bind(client, 'lab:nodes', 'system:node', { kind: 'Group', name: 'system:nodes' });
  await bind(client, 'lab:kubelet-client', 'system:kubelet-api-admin', {
    kind: 'User',
    name: 'kube-apiserver-kubelet-client',
  });
  const hasDefaultAccount = async (): Promise<boolean> => {
    try {
      await client.get('/api/v1/namespaces/default/serviceaccounts/default');
      return true;
    } catch (error) {
      if (isStatus(error, 404)) return false;
      throw error;
    }
  };
  if (!(await eventually(hasDefaultAccount, { timeoutMs: DEFAULT_ACCOUNT_TIMEOUT_MS }))) {
    throw new Error('The controller manager made no default ServiceAccount within a minute.');
  }
}

async function bind(
  client: ApiClient,
  name: string,
  role: string,
  subject: { kind: string; name: string },
): Promise<void> {
  const body = {
    metadata: { name },
    roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: role },
    subjects: [{ apiGroup: 'rbac.authorization.k8s.io', ...subject }],
  };
  try {
    await client.call({ method: 'POST', path: RBAC, body });
  } catch (error) {
    if (!isStatus(error, 409)) throw error; // there already: this folder held the cluster before
  }
}
