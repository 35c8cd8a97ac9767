import { GATEWAY_CONFIG_MAP } from '../operator/controller/names.ts';
import { CommandError } from './output.ts';

/** For a name that the hub does not know. */
export function noSuchTunnel(name: string, server: string): CommandError {
  return new CommandError({
    what: `there is no ClusterTunnel "${name}"`,
    why: `the hub at ${server} does not have it`,
    remedy: '`kubectl get ct` lists them; create it, or name another hub with --context',
  });
}

/** For a hub whose operator has not published its gateway. */
export function noGateway(namespace: string): CommandError {
  return new CommandError({
    what: 'it is not known how the gateway is reached',
    why: `the operator has not written ConfigMap ${namespace}/${GATEWAY_CONFIG_MAP}`,
    remedy: `check that it runs: \`kubectl -n ${namespace} get pods\`; --operator-namespace names another namespace`,
  });
}
