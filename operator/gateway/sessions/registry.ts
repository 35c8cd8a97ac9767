import { type HealthReport, REPORT_EVERY_MS } from '../../../crds/health-report.ts';
import type { Clock } from '../../../process/clock.ts';
import type { GatewaySession } from '../../../tunnel/session/gateway-session.ts';
import type { SessionEnd } from '../../../tunnel/session/session.ts';
import type { FallbackFacts } from '../fallback/fallbacks.ts';
import type { WayFacts } from '../health/way.ts';

/** One agent's session with this gateway. */
export interface AgentLink {
  readonly tunnel: string;
  /** Of the tunnel that its key was made for: a later one may have the same name. */
  readonly tunnelUid: string;
  readonly session: GatewaySession;
  /** New for every agent process. */
  readonly instanceId: string;
  /** Which of the process's connections. */
  readonly connection: number;
  readonly agentVersion: string;
  /** Of the key it authenticated with. */
  readonly keyId: string;
  /** The last HEALTH, and when it came. */
  health: { readonly report: HealthReport; readonly atMs: number } | undefined;
}

/** What the gateway knows of a tunnel, for conditions. */
export interface TunnelFacts {
  readonly links: readonly AgentLink[];
  readonly lastDisconnect: { readonly time: string; readonly reason: string } | undefined;
  /** Monotonic; undefined while connected or never connected. */
  readonly awaySinceMs: number | undefined;
  /** Why requests are refused though there are sessions; undefined: they are not. */
  readonly circuit?: { readonly cause: string } | undefined;
  /** What went along the way to the API server lately; undefined: nothing is known. */
  readonly way?: WayFacts | undefined;
  /** undefined: the tunnel has none. */
  readonly fallback?: FallbackFacts | undefined;
}

interface Entry {
  links: AgentLink[];
  lastDisconnect: TunnelFacts['lastDisconnect'];
  awaySinceMs: number | undefined;
}

const NOTHING: TunnelFacts = { links: [], lastDisconnect: undefined, awaySinceMs: undefined };

/** Tunnel → its live sessions at this gateway, oldest first. */
export class Registry {
  readonly #clock: Clock;
  readonly #entries = new Map<string, Entry>();
  readonly #onChange: (tunnel: string) => void;

  /** `onChange` is called after every change of a tunnel's facts. */
  constructor(clock: Clock, onChange: (tunnel: string) => void) {
    this.#clock = clock;
    this.#onChange = onChange;
  }

  facts(tunnel: string): TunnelFacts {
    return this.#entries.get(tunnel) ?? NOTHING;
  }

  /** Every live session. */
  all(): AgentLink[] {
    return [...this.#entries.values()].flatMap(({ links }) => links);
  }

  /**
   * A session was greeted. `replaced`: the older ones of the same connection, which go now. That is no disconnect, and
   * what their agent said last of its upstream stays true.
   */
  add(link: AgentLink, replaced: readonly AgentLink[] = []): void {
    const entry = this.#entry(link.tunnel);
    entry.links = [...entry.links.filter((each) => !replaced.includes(each)), link];
    entry.awaySinceMs = undefined;
    link.health ??= replaced.at(-1)?.health;
    this.#onChange(link.tunnel);
  }

  /** Notes what an agent said of its upstream. News only if it says something else, or was long not heard. */
  heard(link: AgentLink, report: HealthReport): void {
    const before = link.health;
    const atMs = this.#clock.nowMs();
    link.health = { report, atMs };
    const isNews = before === undefined || atMs - before.atMs > REPORT_EVERY_MS / 2 || isOther(before.report, report);
    if (isNews) this.#onChange(link.tunnel);
  }

  /** By identity. The last one leaving makes the tunnel away. */
  remove(link: AgentLink, end: SessionEnd): void {
    const entry = this.#entry(link.tunnel);
    const index = entry.links.indexOf(link);
    if (index < 0) return;
    entry.links.splice(index, 1);
    entry.lastDisconnect = { time: this.#clock.date().toISOString(), reason: end.reason };
    if (entry.links.length === 0) entry.awaySinceMs = this.#clock.nowMs();
    this.#onChange(link.tunnel);
  }

  /** Forgets a deleted tunnel whose sessions are gone. */
  forget(tunnel: string): void {
    if (this.#entries.get(tunnel)?.links.length === 0) this.#entries.delete(tunnel);
  }

  #entry(tunnel: string): Entry {
    const known = this.#entries.get(tunnel);
    if (known !== undefined) return known;
    const entry: Entry = { links: [], lastDisconnect: undefined, awaySinceMs: undefined };
    this.#entries.set(tunnel, entry);
    return entry;
  }
}

/** Whether two reports would be told in other words. Latency, memory and counts are for metrics. */
function isOther(a: HealthReport, b: HealthReport): boolean {
  const told = ({ k8sHealthy, reason, message, kubernetesVersion }: HealthReport) =>
    [k8sHealthy, reason, message, kubernetesVersion].join('\n');
  return told(a) !== told(b);
}
