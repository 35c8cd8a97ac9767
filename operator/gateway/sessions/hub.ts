import { randomUUID } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import { type WebSocket, WebSocketServer } from 'ws';
import type { AgentKey } from '../../../crds/agent-token.ts';
import { parseHealthReport } from '../../../crds/health-report.ts';
import type { Clock } from '../../../process/clock.ts';
import type { Logger } from '../../../process/log.ts';
import { newTrace, traceFields } from '../../../process/trace.ts';
import { VERSION } from '../../../process/version.ts';
import { GatewaySession } from '../../../tunnel/session/gateway-session.ts';
import type { SessionEnd } from '../../../tunnel/session/session.ts';
import { DEFAULT_SETTINGS, SUBPROTOCOL } from '../../../tunnel/session/settings.ts';
import { WEBSOCKET_OPTIONS, websocketTransport } from '../../../tunnel/session/websocket.ts';
import { ErrorCode } from '../../../tunnel/wire/codes.ts';
import type { Hello, Previous } from '../../../tunnel/wire/documents.ts';
import { errorFields } from '../front/audit.ts';
import { refuseUpgrade } from '../front/refuse-upgrade.ts';
import { TunnelError } from '../front/tunnel-error.ts';
import type { GatewayMeter } from '../meter.ts';
import { type AdmittedAgent, admitAgent, tunnelOf } from './admit-agent.ts';
import type { FindAgentKey } from './agent-token.ts';
import type { BudgetShares } from './budget-shares.ts';
import type { AgentLink, Registry } from './registry.ts';
import type { Tunnels, TunnelView } from './tunnels.ts';
import type { Unsettled } from './unsettled.ts';

/** Upgraded connections that have not greeted yet, at once. */
const MAX_GREETING = 1_000;

export interface HubOptions {
  readonly registry: Registry;
  readonly tunnels: Tunnels;
  readonly findKey: FindAgentKey;
  readonly unsettled: Unsettled;
  readonly budgets: BudgetShares;
  readonly meter: Pick<GatewayMeter, 'sessionEnded'>;
  readonly clock: Clock;
  readonly random: () => number;
  readonly replicaId: string;
  readonly log: Logger;
  /** Slots of this tunnel became free, a session came or went, or may be chosen now that was not before. */
  readonly onRoom: (tunnel: string) => void;
}

/** The agents' door: authenticates them, upgrades to WebSocket, opens sessions. */
export class Hub {
  readonly #options: HubOptions;
  readonly #server = new WebSocketServer({ ...WEBSOCKET_OPTIONS, noServer: true, handleProtocols: () => SUBPROTOCOL });
  #greeting = 0;
  #isDraining = false;
  #endedStarvedMs = 0;

  constructor(options: HubOptions) {
    this.#options = options;
  }

  /** Connections between upgrade and greeting. */
  get greeting(): number {
    return this.#greeting;
  }

  /** How long streams had bytes and no credit, over all sessions there were. */
  get starvedMs(): number {
    const links = this.#options.registry.all();
    return links.reduce((sum, { session }) => sum + session.session.writer.starvedMs, this.#endedStarvedMs);
  }

  /** Handles an upgrade on the agents' path. */
  accept(request: IncomingMessage, socket: Duplex, head: Buffer): void {
    const admitted = this.#admit(request);
    if (admitted instanceof TunnelError) {
      const { clock, log } = this.#options;
      const trace = newTrace();
      log.warn('agent refused', {
        ...traceFields(trace),
        tunnel: admitted.tunnel,
        ...errorFields(admitted),
        reason: admitted.message,
        address: request.socket.remoteAddress,
      });
      return refuseUpgrade(socket, admitted, { clock, trace });
    }
    this.#server.handleUpgrade(request, socket, head, (webSocket) =>
      this.#open(webSocket, admitted.key, admitted.tunnel),
    );
  }

  /** Tells running agents about changed limits. Agents of an older tunnel of that name have nothing to serve here. */
  configure(tunnel: TunnelView): void {
    for (const { session, tunnelUid } of [...this.#options.registry.facts(tunnel.name).links]) {
      if (tunnelUid === tunnel.uid) this.#configure(session, tunnel);
      else session.session.close(ErrorCode.Revoked, 'the tunnel was deleted');
    }
  }

  /**
   * The tunnel is being deleted or suspended: its sessions take no new requests and end when the running ones have, at
   * the latest after timeouts.drain.
   */
  retire({ name, settings }: TunnelView, reason: string): void {
    for (const { session } of [...this.#options.registry.facts(name).links]) {
      if (session.session.state !== 'open') continue;
      const cut = () => session.session.close(ErrorCode.Revoked, reason);
      session.session.vitals.deadlines.after(settings.timeouts.drainMs, cut);
      session.session.drain(ErrorCode.Revoked, reason);
    }
  }

  /** Ends the sessions of a tunnel that is gone. */
  drop(tunnel: string, reason: string): void {
    for (const { session } of [...this.#options.registry.facts(tunnel).links])
      session.session.close(ErrorCode.Revoked, reason);
  }

  /** Tells every agent to go elsewhere; their running streams finish. */
  drain(): void {
    this.#isDraining = true;
    for (const { session } of this.#options.registry.all())
      session.session.drain(ErrorCode.Draining, 'the gateway is leaving');
  }

  /** Cuts what is left; nobody waits any more for what an agent might say. */
  close(): void {
    this.#options.unsettled.clear();
    for (const { session } of this.#options.registry.all())
      session.session.close(ErrorCode.Draining, 'the gateway left');
    for (const webSocket of this.#server.clients) webSocket.terminate();
  }

  #admit(request: IncomingMessage): AdmittedAgent | TunnelError {
    if (this.#isDraining) return new TunnelError('draining', 'the gateway is leaving');
    if (this.#greeting >= MAX_GREETING) {
      return new TunnelError('stream_limit', `${MAX_GREETING} agents are connecting`);
    }
    return admitAgent(request, this.#options);
  }

  #open(webSocket: WebSocket, key: AgentKey, tunnel: TunnelView): void {
    const { budgets, clock, random, replicaId, meter, log } = this.#options;
    this.#greeting += 1;
    let link: AgentLink | undefined;
    let greetedMs = 0;
    const session: GatewaySession = new GatewaySession({
      transport: websocketTransport(webSocket),
      clock,
      budget: budgets.join(key.tunnel),
      random,
      settings: { ...DEFAULT_SETTINGS, ...boundsOf(tunnel) },
      sessionId: randomUUID(),
      replicaId,
      gatewayVersion: VERSION,
      events: {
        onReady: (hello) => {
          this.#greeting -= 1;
          greetedMs = clock.nowMs();
          link = linkOf(session, hello, key);
          this.#connected(link, key, hello.previous);
        },
        onSlots: () => this.#options.onRoom(key.tunnel),
        onHealth: (document) => {
          if (link === undefined) return;
          this.#options.registry.heard(link, parseHealthReport(document));
          this.#options.onRoom(key.tunnel);
        },
        onLeaving: (goaway) => {
          log.info('agent leaves', { tunnel: key.tunnel, session: session.id, reason: goaway.reason });
          this.#options.onRoom(key.tunnel);
        },
        onEnd: (end) => {
          budgets.leave(key.tunnel);
          if (link === undefined) this.#greeting -= 1;
          else meter.sessionEnded(end.code, clock.nowMs() - greetedMs);
          this.#ended(session, link, key, end);
        },
      },
    });
    session.session.listen();
  }

  /**
   * Greeted. An older session of the same connection, of which nobody has heard yet that it broke, ends only now: what
   * certainly did not run there may go on here.
   */
  #connected(link: AgentLink, key: AgentKey, previous: Previous | undefined): void {
    const { registry, unsettled, log, onRoom } = this.#options;
    const { session, tunnel, instanceId, agentVersion } = link;
    log.info('session opened', { tunnel, session: session.id, agent: instanceId, agentVersion });
    const replaced = registry.facts(tunnel).links.filter((older) => isReplaced(older, link));
    registry.add(link, replaced);
    this.#begin(session, key);
    for (const older of replaced) older.session.session.close(ErrorCode.Replaced, 'a newer session took its place');
    const { notExecuted, unknown } = unsettled.told(link, previous);
    if (notExecuted + unknown > 0) log.info('requests of a lost session settled', { tunnel, notExecuted, unknown });
    onRoom(tunnel);
  }

  /** Much may have happened since the upgrade: the tunnel is looked up again. */
  #begin(session: GatewaySession, key: AgentKey): void {
    const view = tunnelOf(key, this.#options.tunnels);
    if (view === undefined) return session.session.close(ErrorCode.Revoked, 'the tunnel was deleted');
    if (view.isSuspended) return session.session.drain(ErrorCode.Revoked, 'the tunnel is suspended');
    this.#configure(session, view);
    if (this.#isDraining) session.session.drain(ErrorCode.Draining, 'the gateway is leaving');
  }

  #ended(session: GatewaySession, link: AgentLink | undefined, key: AgentKey, end: SessionEnd): void {
    const { registry, log, onRoom } = this.#options;
    log.info('session closed', { tunnel: key.tunnel, session: session.id, reason: end.reason });
    if (link === undefined) return;
    registry.remove(link, end);
    this.#endedStarvedMs += session.session.writer.starvedMs;
    onRoom(key.tunnel);
  }

  #configure(session: GatewaySession, tunnel: TunnelView): void {
    const { maxConcurrentRequests: ordinary, maxLongRunningRequests: longRunning } = tunnel.settings.limits;
    session.session.settings = { ...session.session.settings, ...boundsOf(tunnel) };
    session.workers = { ordinary, longRunning };
    session.configure(tunnel.settings);
  }
}

function linkOf(
  session: GatewaySession,
  { instanceId, connection = 0, agentVersion }: Hello,
  key: AgentKey,
): AgentLink {
  const { tunnel, tunnelUid, keyId } = key;
  return { tunnel, tunnelUid, session, instanceId, connection, agentVersion, keyId, health: undefined };
}

/** The same connection of the same process, let in for the same tunnel. One that drains may finish. */
function isReplaced(older: AgentLink, newer: AgentLink): boolean {
  const isSame = older.tunnelUid === newer.tunnelUid && older.instanceId === newer.instanceId;
  return isSame && older.connection === newer.connection && older.session.session.state === 'open';
}

/** What of a tunnel's limits binds the gateway's end of its sessions. */
function boundsOf({ settings: { limits, timeouts } }: TunnelView) {
  return {
    maxStreams: limits.maxStreamsPerSession,
    maxWindowBytes: limits.maxStreamBufferBytes,
    controlWriteMs: timeouts.controlWriteMs,
    dataWriteMs: timeouts.dataWriteMs,
  };
}
