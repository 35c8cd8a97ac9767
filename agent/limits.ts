import { isDeepStrictEqual } from 'node:util';
import { type AgentSettings, agentSettings, parseAgentSettings } from '../crds/agent-settings.ts';
import { validateSpec } from '../crds/validate.ts';
import { DEFAULT_SETTINGS, type SessionSettings } from '../tunnel/session/settings.ts';

/** What an agent runs with until its gateway says otherwise: the defaults of the CRD. Generation 0. */
export function defaultSettings(): AgentSettings {
  const validated = validateSpec({});
  if ('errors' in validated) throw new RangeError(`the CRD's own defaults are invalid: ${validated.errors.join(', ')}`);
  return agentSettings(validated.spec, { uid: '', generation: 0 });
}

/** What came of a CONFIG document. */
export type Applied = 'applied' | 'unchanged' | 'outdated';

/** The limits and timeouts in force, by the newest generation seen. */
export class Limits {
  readonly #onChange: (settings: AgentSettings) => void;
  #current: AgentSettings;

  /** `onChange` brings new settings to what is running; it is not called for the first ones, nor for the same again. */
  constructor(initial: AgentSettings, onChange: (settings: AgentSettings) => void) {
    this.#current = initial;
    this.#onChange = onChange;
  }

  get current(): AgentSettings {
    return this.#current;
  }

  /** Takes a CONFIG document, unless a newer one of the same tunnel came before. @throws TypeError when it is none. */
  apply(document: unknown): Applied {
    const settings = parseAgentSettings(document);
    const isSameTunnel = settings.tunnelUid === this.#current.tunnelUid;
    if (isSameTunnel && settings.generation < this.#current.generation) return 'outdated';
    if (isDeepStrictEqual(settings, this.#current)) return 'unchanged';
    this.#current = settings;
    this.#onChange(settings);
    return 'applied';
  }
}

/** What of the settings bounds the agent's end of a session. */
export function sessionSettings({ limits, timeouts }: AgentSettings): SessionSettings {
  return {
    ...DEFAULT_SETTINGS,
    maxStreams: limits.maxStreamsPerSession,
    maxWindowBytes: limits.maxStreamBufferBytes,
    controlWriteMs: timeouts.controlWriteMs,
    dataWriteMs: timeouts.dataWriteMs,
  };
}
