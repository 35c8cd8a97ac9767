import type { Verdict } from './checks.ts';
import type { Observation } from './observe.ts';
import { Reason } from './reasons.ts';

/** Whether requests could go, or go, without the tunnel; undefined: spec.fallback is not set. */
export function checkFallback({ spec, sessions }: Observation): Verdict | undefined {
  if (spec?.fallback === undefined) return undefined;
  const { fallback } = sessions;
  if (fallback === undefined) {
    return { status: 'Unknown', reason: Reason.NotAttempted, message: 'The gateway has not read the Secret yet.' };
  }
  const { server, refused, trouble } = fallback;
  if (refused !== undefined) return { status: 'False', ...refused };
  if (spec.suspend) {
    return { status: 'False', reason: Reason.Suspended, message: 'Nothing goes directly while spec.suspend is true.' };
  }
  if (carries(sessions)) {
    return { status: 'True', reason: Reason.Standby, message: `Not needed now: it would send requests to ${server}.` };
  }
  if (trouble === undefined) {
    const message = `Gateways send requests to ${server} themselves, until the tunnel carries them again.`;
    return { status: 'True', reason: Reason.RequestsGoDirectly, message };
  }
  return {
    status: 'False',
    reason: Reason.FallbackUnreachable,
    message: `Requests do not get there, or not all of them: ${trouble}.`,
  };
}

function carries({ liveSessions, circuit }: Observation['sessions']): boolean {
  return liveSessions > 0 && circuit === undefined;
}
