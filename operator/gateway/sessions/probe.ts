import { PROBE_USER } from '../../../crds/access-settings.ts';
import type { Clock } from '../../../process/clock.ts';
import { newTraceId } from '../../../process/trace.ts';
import { ErrorCode } from '../../../tunnel/wire/codes.ts';
import type { RequestHead } from '../../../tunnel/wire/head.ts';
import { choose } from './choose.ts';
import { type Hear, overheard } from './overheard.ts';
import type { AgentLink } from './registry.ts';
import type { TunnelView } from './tunnels.ts';

/** Asks through the sessions that there are: one probe of a tunnel at a time, whoever wants it. False: another one runs, or no session has room. */
export function oneProbeEach(linksOf: (tunnel: string) => readonly AgentLink[], clock: Clock) {
  const asking = new Set<string>();
  return (view: TunnelView, timeoutMs: number, hear: Hear): boolean => {
    const { name } = view;
    if (asking.has(name)) return false;
    const isAsked = probeThrough(
      choose(linksOf(name), 'ordinary', clock.nowMs()),
      view,
      timeoutMs,
      (outcome, status) => {
        asking.delete(name);
        hear(outcome, status);
      },
    );
    if (isAsked) asking.add(name);
    return isAsked;
  };
}

/**
 * Asks the API server behind a tunnel for its version, as users are served: over a session, by a worker of the agent, as a user
 * who has no rights of his own. `hear` is told once how it went. False: no session has room.
 */
function probeThrough(
  link: AgentLink | undefined,
  { settings }: Pick<TunnelView, 'settings'>,
  timeoutMs: number,
  hear: Hear,
): boolean {
  const identity = settings.access.mode === 'Agent' ? undefined : { user: PROBE_USER, uid: '', groups: [] };
  const head: RequestHead = {
    method: 'GET',
    path: '/version',
    headers: ['Accept', 'application/json', 'User-Agent', 'clustertunnel-gateway'],
    identity,
    traceId: newTraceId(),
    deadlineMs: timeoutMs,
    isLongRunning: false,
    isUpgrade: false,
  };
  const stream = link?.session.open(head, true);
  if (stream === undefined) return false;
  let cancelTimeout = () => {};
  overheard(stream, [hear]).attach({
    onData: (chunk) => stream.consume(chunk.length),
    onEnd: () => {},
    onError: () => {},
    onDrain: () => {},
    onClose: () => cancelTimeout(),
  });
  cancelTimeout = stream.after(timeoutMs, () => stream.reset(ErrorCode.Deadline, 'the probe was not answered in time'));
  return true;
}
