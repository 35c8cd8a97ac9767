import { kubeconfigSecretRef } from './kubeconfig-ref-schema.ts';

/** spec.fallback: how requests reach the target while the tunnel cannot carry them. Without it they do not. */
export const fallbackSchema = {
  type: 'object',
  additionalProperties: false,
  required: ['kubeconfigSecretRef'],
  description:
    'How gateways reach the API server themselves while the tunnel cannot carry requests: no agent is connected and timeouts.disconnectGrace is over, or the circuit is open. Default: they do not, and such requests get 503. Access, identity and limits are those of the tunnel. The hub then holds a credential of the target that may impersonate: see docs/fallback.md. Changes are in force at once.',
  properties: {
    kubeconfigSecretRef: kubeconfigSecretRef(
      "Secret in the operator's own namespace with a kubeconfig of the target, whose user may impersonate whom access lets pass (with access.mode Agent requests run as that user). Credentials must stand in the kubeconfig itself: a token, or certificate and key as data; no exec plugins and no file names. Removing it ends what goes this way at once.",
    ),
  },
} as const;
