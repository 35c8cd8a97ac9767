import type { Verdict } from './checks.ts';
import type { Observation } from './observe.ts';
import { Reason } from './reasons.ts';

/**
 * Whether the API server behind the tunnel answers, by evidence no older than a few health intervals. What an agent says is wrong
 * comes before what the gateway sees of it; either of them is enough to know that all is well.
 */
export function checkUpstream(seen: Observation): Verdict {
  const { liveSessions, upstream, circuit } = seen.sessions;
  if (liveSessions === 0) {
    return { status: 'Unknown', reason: Reason.NoSession, message: 'Without a session nobody can ask the API server.' };
  }
  if (circuit !== undefined) {
    const message = `Requests failed too often and are refused at once, until one that is tried now and then gets through; the last: ${circuit.cause}.`;
    return { status: 'False', reason: Reason.CircuitOpen, message };
  }
  const said = upstream !== undefined && isFresh(seen, upstream.observedAtMs) ? upstream : undefined;
  if (said?.healthy === false) return { status: 'False', reason: said.reason, message: said.message };
  const blocked = checkWay(seen);
  if (blocked !== undefined && blocked.status !== 'True') return blocked;
  if (said !== undefined) return { status: 'True', reason: said.reason, message: said.message };
  return blocked ?? unknown(seen);
}

/** What the gateway sees by itself; undefined: nothing of late. */
function checkWay(seen: Observation): Verdict | undefined {
  const { way } = seen.sessions;
  if (way === undefined || !isFresh(seen, way.atMs)) return undefined;
  switch (way.state) {
    case 'unseen':
      return undefined;
    case 'open':
      return { status: 'True', reason: Reason.Healthy, message: 'Requests get an answer.' };
    case 'failing': {
      const message = `No user's request succeeded lately, and the gateway's probes on their way failed; the last: ${way.detail}.`;
      return { status: 'False', reason: Reason.ProbeFailed, message };
    }
    case 'saturated': {
      const message =
        'All workers of the agents are busy, and none of their requests succeeded lately: whether the API server is well cannot be asked. If this lasts, see what hangs, or raise spec.limits.maxConcurrentRequests or the replicas.';
      return { status: 'Unknown', reason: Reason.Saturated, message };
    }
  }
}

function unknown({ sessions: { upstream, way }, evidenceMaxAgeMs }: Observation): Verdict {
  if (upstream === undefined && (way === undefined || way.state === 'unseen')) {
    return { status: 'Unknown', reason: Reason.NotProbedYet, message: 'The API server was not probed yet.' };
  }
  // The limit, not the age: an age would be another sentence, and another write, at each look.
  const limitSeconds = Math.round(evidenceMaxAgeMs / 1_000);
  const last = upstream === undefined ? '.' : `; last: ${upstream.message}`;
  const message = `Nothing was heard of the API server for more than ${limitSeconds} s${last}`;
  return { status: 'Unknown', reason: Reason.EvidenceTooOld, message };
}

function isFresh({ nowMs, evidenceMaxAgeMs }: Observation, atMs: number): boolean {
  return nowMs - atMs <= evidenceMaxAgeMs;
}
