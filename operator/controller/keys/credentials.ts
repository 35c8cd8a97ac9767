import {
  type AgentKey,
  MAX_KEYS_PER_TUNNEL,
  type MintedToken,
  parseAgentToken,
  tokenMatches,
} from '../../../crds/agent-token.ts';
import type { KubeClient } from '../../kube/client.ts';
import type { DataObject } from '../../kube/objects.ts';
import { TOKEN_KEY } from '../objects/access.ts';
import { type AgentKeys, areWatched, type KeyOwner, readAgentKeys, writeAgentKeys } from './agent-keys.ts';

export interface CredentialDeps {
  /** Of the hub: that is where hashes are kept, wherever the agent stands. */
  readonly hub: KubeClient;
  readonly now: () => Date;
  readonly mint: () => MintedToken;
  /** Minted tokens that the agent's Secret was not seen to hold yet, by tunnel. */
  readonly unplaced: Map<string, string>;
}

/** A token that the agent's Secret must hold, and the keys of which one fits it. */
export interface AgentToken {
  readonly token: string;
  readonly keys: AgentKeys;
}

/**
 * The token for the agent's Secret: the one it holds, if a known key fits it, else a new one.
 * The hash of a new token is written before anybody sees the token. While the Secret cannot be written, each round offers
 * the same token again. A restart in between mints again, in place of the key that no agent was given: the key that
 * running agents hold is never pushed out.
 */
export async function agentToken(
  { hub, now, mint, unplaced }: CredentialDeps,
  owner: KeyOwner,
  held: string | undefined,
  signal: AbortSignal,
): Promise<AgentToken> {
  const seen = await readAgentKeys(hub, owner, signal);
  for (const known of [held, unplaced.get(owner.tunnel)]) {
    if (known === undefined || keyFor(known, seen.keys) === undefined) continue;
    return { token: known, keys: await watchedKeys(hub, owner, seen, signal) };
  }
  const minted = mint();
  const given = seen.keys.filter(({ keyId }) => keyId !== seen.unplacedKeyId);
  const next = withKey(given, newKey(owner, minted, now()));
  const keys = await writeAgentKeys(hub, owner, seen, next, signal, minted.keyId);
  unplaced.set(owner.tunnel, minted.token);
  return { token: minted.token, keys };
}

/** Gives keys that nobody watches back the labels that somebody took from them. Resolves to whether there are any keys. */
export async function repairKeys(hub: KubeClient, owner: KeyOwner, signal: AbortSignal): Promise<boolean> {
  const { keys } = await watchedKeys(hub, owner, await readAgentKeys(hub, owner, signal), signal);
  return keys.length > 0;
}

async function watchedKeys(hub: KubeClient, owner: KeyOwner, seen: AgentKeys, signal: AbortSignal): Promise<AgentKeys> {
  if (seen.keys.length === 0 || areWatched(seen, owner)) return seen;
  return writeAgentKeys(hub, owner, seen, seen.keys, signal, seen.unplacedKeyId);
}

/** To call when the agent's Secret holds the token: from now on an agent may run with it. */
export async function confirmPlaced(
  { hub, unplaced }: Pick<CredentialDeps, 'hub' | 'unplaced'>,
  owner: KeyOwner,
  { token, keys }: AgentToken,
  signal: AbortSignal,
): Promise<void> {
  const isFirst = keys.unplacedKeyId !== undefined && keys.unplacedKeyId === parseAgentToken(token)?.keyId;
  if (isFirst) await writeAgentKeys(hub, owner, keys, keys.keys, signal);
  unplaced.delete(owner.tunnel);
}

/** The token in an agent's Secret. */
export function tokenIn(secret: DataObject | undefined): string | undefined {
  const encoded = secret?.data?.[TOKEN_KEY];
  return encoded === undefined ? undefined : Buffer.from(encoded, 'base64').toString('utf8');
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
