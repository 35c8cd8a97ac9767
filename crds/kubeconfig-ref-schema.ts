import { matching, RULES_KEYWORD } from './rules.ts';

const secretName = matching(
  '^[a-z0-9]([-a-z0-9]*[a-z0-9])?([.][a-z0-9]([-a-z0-9]*[a-z0-9])?)*$',
  "must be the name of a Secret: lower case letters, digits, '-' and '.', for example prod-kubeconfig",
);
const secretKey = matching(
  '^[-._a-zA-Z0-9]+$',
  "must be the key of a Secret: letters, digits, '-', '_' and '.', for example kubeconfig",
);

/** Which key of which Secret of the operator's own namespace holds a kubeconfig. */
export function kubeconfigSecretRef<const Description extends string>(description: Description) {
  return {
    type: 'object',
    additionalProperties: false,
    required: ['name'],
    description,
    properties: {
      name: {
        type: 'string',
        maxLength: 253,
        description: 'Name of the Secret, for example prod-kubeconfig.',
        [RULES_KEYWORD]: [secretName],
      },
      key: {
        type: 'string',
        default: 'kubeconfig',
        maxLength: 253,
        description: 'Key of the Secret that holds the kubeconfig; default kubeconfig.',
        [RULES_KEYWORD]: [secretKey],
      },
    },
  } as const;
}
