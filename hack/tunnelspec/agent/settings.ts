import { randomUUID } from 'node:crypto';
import { type AgentSettings, agentSettings } from '../../../crds/agent-settings.ts';
import { validateSpec } from '../../../crds/validate.ts';
import { FrameType } from '../../../tunnel/wire/codes.ts';
import type { FrameOf } from '../peer.ts';

/** What a case wants other than the CRD's defaults. */
export type SettingsChange = {
  readonly [Group in keyof AgentSettings]?: AgentSettings[Group] extends object
    ? Partial<AgentSettings[Group]>
    : AgentSettings[Group];
};

/** Cases wait for the next session: not for long. */
const RECONNECT = { minBackoffMs: 100, maxBackoffMs: 200 };

/** Slots of an agent with the CRD's settings. */
export const USUAL_WORKERS = usualSettings().limits.maxConcurrentRequests;

/** CONFIG as a frame: the CRD's defaults with changes, of a tunnel that the agent has not heard of, so that it counts. */
export function configFrame(change: SettingsChange = {}): FrameOf<typeof FrameType.Config> {
  const usual = usualSettings();
  const { access, limits, timeouts, compression, health } = usual;
  return {
    type: FrameType.Config,
    document: {
      tunnelUid: change.tunnelUid ?? usual.tunnelUid,
      generation: change.generation ?? usual.generation,
      access: { ...access, ...change.access },
      limits: { ...limits, ...change.limits },
      timeouts: { ...timeouts, ...change.timeouts },
      reconnect: { ...RECONNECT, ...change.reconnect },
      compression: { ...compression, ...change.compression },
      health: { ...health, ...change.health },
    },
  };
}

function usualSettings(): AgentSettings {
  const validated = validateSpec({});
  if ('errors' in validated) throw new RangeError(`the CRD's own defaults are invalid: ${validated.errors.join(', ')}`);
  return agentSettings(validated.spec, { uid: randomUUID(), generation: 1 });
}
