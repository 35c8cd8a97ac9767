import {
  type AgentKey,
  MAX_KEYS_PER_TUNNEL,
  type MintedToken,
  parseAgentToken,
  tokenMatches,
} from '../../crds/agent-token.ts';
import type { KubeClient } from '../kube/client.ts';
import { type DataObject, RESOURCES } from '../kube/objects.ts';
import { TOKEN_KEY } from './access.ts';
import { type KeyOwner, readAgentKeys, writeAgentKeys } from './agent-keys.ts';
import { agentName } from './names.ts';

export interface CredentialDeps {
  readonly client: KubeClient;
  readonly now: () => Date;
  readonly mint: () => MintedToken;
  /** Minted tokens that the agent's Secret was not seen to hold yet, by tunnel. */
  readonly unplaced: Map<string, string>;
}

/**
 * The token that the Local agent's Secret must hold: the one it holds, if a known key fits it, else a new one.
 * The hash of a new token is written before anybody sees the token. While the Secret cannot be written, each round offers
 * the same token again: a new one each time would push out the key that running agents hold. Only a restart in between
 * mints again; the oldest key goes when there are more than two.
 */
export async function localToken(
  { client, now, mint, unplaced }: CredentialDeps,
  owner: KeyOwner,
  agentNamespace: string,
  signal: AbortSignal,
): Promise<string> {
  const seen = await readAgentKeys(client, owner, signal);
  const address = { namespace: agentNamespace, name: agentName(owner.tunnel) };
  const secret = await client.find<DataObject>(RESOURCES.secret, address, signal);
  const held = tokenIn(secret);
  if (held !== undefined && keyFor(held, seen.keys) !== undefined) {
    unplaced.delete(owner.tunnel);
    return held;
  }
  const waiting = unplaced.get(owner.tunnel);
  if (waiting !== undefined && keyFor(waiting, seen.keys) !== undefined) return waiting;
  const minted = mint();
  await writeAgentKeys(client, owner, seen, withKey(seen.keys, newKey(owner, minted, now())), signal);
  unplaced.set(owner.tunnel, minted.token);
  return minted.token;
}

/** The key that fits the token. */
export function keyFor(token: string, keys: readonly AgentKey[]): AgentKey | undefined {
  const keyId = parseAgentToken(token)?.keyId;
  return keys.find((key) => key.keyId === keyId && tokenMatches(token, key.sha256));
}

/** The keys with one more; the oldest go beyond two. */
export function withKey(keys: readonly AgentKey[], key: AgentKey): AgentKey[] {
  return [...keys, key].slice(-MAX_KEYS_PER_TUNNEL);
}

/** What the hub keeps of a minted token. */
export function newKey({ tunnel, tunnelUid }: KeyOwner, { keyId, sha256 }: MintedToken, now: Date): AgentKey {
  return { keyId, sha256, createdAt: now.toISOString(), tunnel, tunnelUid };
}

function tokenIn(secret: DataObject | undefined): string | undefined {
  const encoded = secret?.data?.[TOKEN_KEY];
  return encoded === undefined ? undefined : Buffer.from(encoded, 'base64').toString('utf8');
}
