import { matching, type Rule } from './rules.ts';

/** As the API server reads them off `Impersonate-Extra-…`: in lower case, percent-decoded. */
const SHAPE = '^[a-z0-9]([a-z0-9._/-]*[a-z0-9])?$';
/** Domains of Kubernetes itself, and all below: what it says there of a credential is true of the hub only. */
const RESERVED = '^([^/]*[.])?(kubernetes|k8s)[.]io/';

export const isExtraKey = matching(
  SHAPE,
  "must be the key of an extra: lower case letters, digits, and '-', '_', '.', '/' inside, for example 'example.com/scopes'",
);
export const isUnreservedExtraKey: Rule<string> = {
  cel: `!self.matches('${RESERVED}')`,
  holds: (key) => !new RegExp(RESERVED).test(key),
  message:
    "must not be below kubernetes.io or k8s.io, which are reserved: what authentication.kubernetes.io/… says of a credential is true of the hub only; use a domain of your own, for example 'example.com/scopes'",
};

/** Whether a target may ever be told this extra. A stored tunnel may be older than the rules. */
export function canPassAsExtra(key: string): boolean {
  return isExtraKey.holds(key) && isUnreservedExtraKey.holds(key);
}
