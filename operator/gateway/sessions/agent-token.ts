import { type AgentKey, parseAgentToken, tokenMatches } from '../../../crds/agent-token.ts';

/** The key of that id, if the hub keeps one. */
export type FindAgentKey = (keyId: string) => AgentKey | undefined;

/** Compared with when the id is unknown, so that both answers take the same work. */
const NO_HASH = '0'.repeat(64);

/** The key that a presented token proves; undefined when it proves none. */
export function provenKey(token: string, findKey: FindAgentKey): AgentKey | undefined {
  const parsed = parseAgentToken(token);
  if (parsed === undefined) return undefined;
  const key = findKey(parsed.keyId);
  const matches = tokenMatches(token, key?.sha256 ?? NO_HASH);
  return matches ? key : undefined;
}
