import { type AccessSettings, accessSettings, parseAccess } from './access-settings.ts';
import type { Spec } from './types.ts';
import { measured } from './validate.ts';

/**
 * The CONFIG document: what a running agent is told over its session, and again whenever the spec changes.
 * Durations in milliseconds, sizes in bytes. Receivers ignore fields they do not know and generations they have passed.
 */
export interface AgentSettings {
  /** metadata.uid of the ClusterTunnel: generations of a deleted namesake mean nothing. Empty before the first CONFIG. */
  readonly tunnelUid: string;
  /** metadata.generation of the ClusterTunnel. */
  readonly generation: number;
  readonly access: AccessSettings;
  readonly limits: {
    readonly maxConcurrentRequests: number;
    readonly maxLongRunningRequests: number;
    readonly maxStreamsPerSession: number;
    readonly maxStreamBufferBytes: number;
    readonly maxBufferBytes: number;
  };
  readonly timeouts: {
    readonly connectMs: number;
    readonly upstreamHeadersMs: number;
    readonly requestMs: number;
    readonly backpressureMs: number;
    readonly controlWriteMs: number;
    readonly dataWriteMs: number;
    readonly disconnectGraceMs: number;
    readonly drainMs: number;
  };
  readonly reconnect: { readonly minBackoffMs: number; readonly maxBackoffMs: number };
  readonly compression: CompressionSettings;
  readonly health: { readonly intervalMs: number };
}

/** Whether and from which length answers may be deflated on the wire. */
export interface CompressionSettings {
  readonly mode: 'Auto' | 'Off';
  readonly minBytes: number;
}

/** What the agents of a tunnel with this spec are told. */
export function agentSettings(spec: Spec, { uid, generation }: { uid: string; generation: number }): AgentSettings {
  const { limits, timeouts, reconnect, compression, health } = spec;
  const ms = (text: string) => measured('duration', text);
  return {
    tunnelUid: uid,
    generation,
    access: accessSettings(spec),
    limits: {
      maxConcurrentRequests: limits.maxConcurrentRequests,
      maxLongRunningRequests: limits.maxLongRunningRequests,
      maxStreamsPerSession: limits.maxStreamsPerSession,
      maxStreamBufferBytes: measured('bytes', limits.maxStreamBufferBytes),
      maxBufferBytes: measured('bytes', limits.maxBufferBytes),
    },
    timeouts: {
      connectMs: ms(timeouts.connect),
      upstreamHeadersMs: ms(timeouts.upstreamHeaders),
      requestMs: ms(timeouts.request),
      backpressureMs: ms(timeouts.backpressure),
      controlWriteMs: ms(timeouts.controlWrite),
      dataWriteMs: ms(timeouts.dataWrite),
      disconnectGraceMs: ms(timeouts.disconnectGrace),
      drainMs: ms(timeouts.drain),
    },
    reconnect: { minBackoffMs: ms(reconnect.minBackoff), maxBackoffMs: ms(reconnect.maxBackoff) },
    compression: { mode: compression.mode, minBytes: measured('bytes', compression.minBytes) },
    health: { intervalMs: ms(health.interval) },
  };
}

const GROUPS = {
  limits: ['maxConcurrentRequests', 'maxStreamBufferBytes', 'maxBufferBytes'],
  timeouts: [
    'connectMs',
    'upstreamHeadersMs',
    'requestMs',
    'backpressureMs',
    'controlWriteMs',
    'dataWriteMs',
    'disconnectGraceMs',
    'drainMs',
  ],
  reconnect: ['minBackoffMs', 'maxBackoffMs'],
  health: ['intervalMs'],
} as const satisfies {
  [Group in Exclude<
    keyof AgentSettings,
    'generation' | 'tunnelUid' | 'compression' | 'access'
  >]: readonly (keyof AgentSettings[Group])[];
};

/** What a gateway of before these members means: they were no fields of the spec, and had these values. */
const UNSAID_LIMITS = { maxLongRunningRequests: 1_000, maxStreamsPerSession: 2_000 } as const;
/** What a gateway of before this member means: it knows no compression, so nothing comes of it. */
const UNSAID: CompressionSettings = { mode: 'Auto', minBytes: 64 * 1024 };

/**
 * The document as received. Unknown fields are dropped.
 * @throws TypeError naming the first field that is missing or no number >= 0: the sender's fault.
 */
export function parseAgentSettings(document: unknown): AgentSettings {
  const tunnelUid = fieldAt(document, 'tunnelUid');
  const generation = numberAt(document, 'generation');
  const settings: Record<string, unknown> = { tunnelUid: typeof tunnelUid === 'string' ? tunnelUid : '', generation };
  for (const [group, names] of Object.entries(GROUPS)) {
    const from = fieldAt(document, group);
    settings[group] = Object.fromEntries(names.map((name) => [name, numberAt(from, name, `${group}.`)]));
  }
  const strict = settings as unknown as AgentSettings;
  return {
    ...strict,
    limits: { ...strict.limits, ...laterLimits(fieldAt(document, 'limits')) },
    compression: compressionIn(fieldAt(document, 'compression')),
    access: parseAccess(fieldAt(document, 'access')),
  };
}

function laterLimits(from: unknown): typeof UNSAID_LIMITS {
  const said = Object.entries(UNSAID_LIMITS).map(([name, unsaid]) => {
    return [name, fieldAt(from, name) === undefined ? unsaid : numberAt(from, name, 'limits.')];
  });
  return Object.fromEntries(said);
}

/** A mode of a newer gateway is none that we have. */
function compressionIn(from: unknown): CompressionSettings {
  if (from === undefined) return UNSAID;
  const mode = fieldAt(from, 'mode') === 'Auto' ? 'Auto' : 'Off';
  return { mode, minBytes: numberAt(from, 'minBytes', 'compression.') };
}

function fieldAt(from: unknown, name: string): unknown {
  return typeof from === 'object' && from !== null ? (from as Record<string, unknown>)[name] : undefined;
}

function numberAt(from: unknown, name: string, prefix = ''): number {
  const value = fieldAt(from, name);
  if (typeof value === 'number' && Number.isFinite(value) && value >= 0) return value;
  throw new TypeError(`agent settings: ${prefix}${name} must be a number >= 0`);
}
