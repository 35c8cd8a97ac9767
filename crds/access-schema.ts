import { isExtraKey, isUnreservedExtraKey } from './extra-keys.ts';
import { matching, RULES_KEYWORD, type Rule } from './rules.ts';

const MAX_PREFIX = 64;

/** Visible ASCII: it becomes the beginning of a header value. */
const isPrintable = matching('^[!-~]*$', "must be visible ASCII without spaces, for example 'hub:'");
/** Names that nobody may be given. */
const isNotReserved: Rule<string> = {
  cel: "!self.startsWith('system:') && !self.startsWith('clustertunnel:')",
  holds: (text) => !text.startsWith('system:') && !text.startsWith('clustertunnel:'),
  message: "must not begin with system: or clustertunnel:, which are reserved; for example 'hub:'",
};

/** All lists of these go to agents in one CONFIG, of 4 KiB. */
const MAX_NAMES = 20;
const MAX_EXTRAS = 10;
const MAX_NAME = 63;
const isName = matching(
  '^[!#-\\[\\]-~]([ !#-\\[\\]-~]*[!#-\\[\\]-~])?$',
  "must be visible ASCII with spaces inside only, without quotes and backslashes, for example 'hub:jane'",
);

function names(description: string) {
  return {
    type: 'array',
    default: [],
    maxItems: MAX_NAMES,
    description,
    items: { type: 'string', maxLength: MAX_NAME, [RULES_KEYWORD]: [isName] },
  } as const;
}

function prefix(description: string) {
  return {
    type: 'string',
    default: '',
    maxLength: MAX_PREFIX,
    description,
    [RULES_KEYWORD]: [isPrintable, isNotReserved],
  } as const;
}

/** spec.access: as whom users of the hub act at the target, and what they may do there at most. */
export const accessSchema = {
  type: 'object',
  additionalProperties: false,
  description:
    "As whom users of the hub act at the target, and what they may do through the tunnel at most. The target's own RBAC decides within that. Changes reach running agents at once.",
  default: {},
  properties: {
    mode: {
      type: 'string',
      enum: ['Impersonate', 'Agent'],
      default: 'Impersonate',
      description:
        "Impersonate: each request runs as the user of the hub who asks, by impersonation. Agent: every request runs as the agent's own ServiceAccount, whoever asks; bind a role to it at the target. Default Impersonate.",
    },
    readOnly: {
      type: 'boolean',
      default: false,
      description:
        'Only the verbs get, list and watch pass, by what a request means and not by its HTTP method: no exec, attach, port-forward or proxy. Reviews of access to oneself, as `kubectl auth can-i` makes them, pass too. Default false.',
    },
    userPrefix: prefix(
      "Stands before the names of the hub's users at the target, for example hub:. Service accounts of the hub are always clustertunnel:hub:<namespace>:<name>. At most 64 characters; default none.",
    ),
    groupPrefix: prefix(
      "Stands before the names of the hub's groups at the target, for example hub:; not before system:authenticated. At most 64 characters; default none.",
    ),
    impersonate: {
      type: 'object',
      additionalProperties: false,
      description:
        'As whom the agent may act at most, by names at the target. In the manifest of a Manual tunnel its ClusterRole is narrowed to them as well.',
      default: {},
      properties: {
        users: names(
          'The only users that pass, at most 20 of 63 characters, for example clustertunnel:hub:ci:bot. Default: all that are not reserved.',
        ),
        groups: names(
          'The only groups that pass, beside system:authenticated; others are left out. At most 20 of 63 characters. Default: all that are not reserved.',
        ),
        extras: {
          type: 'array',
          default: [],
          maxItems: MAX_EXTRAS,
          description:
            'Keys of the extras that pass with a user, for example example.com/scopes; all others stay at the hub. At most 10 of 63 characters, in lower case, none below kubernetes.io or k8s.io. The agent needs the right to impersonate userextras/<key> (API group authentication.k8s.io): the manifest of a Manual tunnel holds it, elsewhere config/extras gives it. Default: none pass.',
          items: { type: 'string', maxLength: MAX_NAME, [RULES_KEYWORD]: [isExtraKey, isUnreservedExtraKey] },
        },
      },
    },
  },
} as const;
