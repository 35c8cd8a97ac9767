import { ProtocolError } from '../errors.ts';
import { ErrorCode } from '../wire/codes.ts';
import type { Hello } from '../wire/documents.ts';

/** The WebSocket subprotocol of this wire. */
export const SUBPROTOCOL = 'clustertunnel.v1';
/** Where agents connect, below the gateway's external URL. */
export const CONNECT_PATH = '/agent/v1/connect';
/** Versions this program speaks, best first. */
export const VERSIONS: readonly number[] = [1];
/** The agent may send HEAD with DEFLATED. */
export const DEFLATE = 'deflate';
/** The gateway may send OPEN with the extras of an identity. */
export const EXTRAS = 'extras';
/** Optional features this program knows. */
export const FEATURES: readonly string[] = [DEFLATE, EXTRAS];
/** HELLO, then WELCOME, each within this time of the upgrade. */
export const HANDSHAKE_TIMEOUT_MS = 5_000;

/** What a session is bounded by. Changeable while it runs. */
export interface SessionSettings {
  /** Streams at once. */
  readonly maxStreams: number;
  /** limits.maxStreamBufferBytes. */
  readonly maxWindowBytes: number;
  readonly pingIntervalMs: number;
  readonly controlWriteMs: number;
  readonly dataWriteMs: number;
}

export const DEFAULT_SETTINGS: SessionSettings = {
  maxStreams: 2_000,
  maxWindowBytes: 4 * 1024 * 1024,
  pingIntervalMs: 10_000,
  controlWriteMs: 5_000,
  dataWriteMs: 30_000,
};

/**
 * Version and features both ends have, the best of the agent's.
 * @throws ProtocolError VERSION when there is none.
 */
export function choose({ versions, features }: Hello): { version: number; features: readonly string[] } {
  const version = versions.find((each) => VERSIONS.includes(each));
  if (version === undefined) {
    throw new ProtocolError(
      `the agent speaks ${versions.join(', ')}, the gateway ${VERSIONS.join(', ')}`,
      ErrorCode.Version,
    );
  }
  return { version, features: FEATURES.filter((each) => features.includes(each)) };
}
