import { FrameType } from '../../../tunnel/wire/codes.ts';
import type { Document } from '../../../tunnel/wire/documents.ts';
import type { Frame } from '../../../tunnel/wire/frame.ts';
import type { RequestHead } from '../../../tunnel/wire/head.ts';
import { Skipped } from '../case.ts';
import type { FrameOf, RawPeer } from '../peer.ts';
import type { RawGateway } from './raw-gateway.ts';
import type { Upstream } from './upstream.ts';

/** A live agent that dials us. */
export interface AgentTarget {
  readonly gateway: RawGateway;
  /** Beside the agent; undefined: its upstream is another one, and cases that must see or steer it are skipped. */
  readonly upstream: Upstream | undefined;
  /** How much faster than ours its time goes. */
  readonly speed: number;
  /** Ends the agent's process and starts a new one; undefined: it is not ours. */
  readonly restart: (() => Promise<void>) | undefined;
}

/** How long a live agent may take to come back: its longest backoff, in ms of its time. */
const REDIAL_MS = 60_000;

/** What every OPEN of a case says unless it says otherwise. */
const GET: RequestHead = {
  method: 'GET',
  path: '/api/v1/namespaces',
  headers: ['Accept', 'application/json'],
  identity: { user: 'tunnelspec', uid: '', groups: [] },
  traceId: 'tunnelspec',
  deadlineMs: 0,
  isLongRunning: false,
  isUpgrade: false,
};

/** What a case may do to an agent: be its gateway, be its API server. */
export class AgentLab {
  readonly target: AgentTarget;
  readonly #peers: RawPeer[] = [];
  readonly #lastIds = new WeakMap<RawPeer, number>();

  constructor(target: AgentTarget) {
    this.target = target;
  }

  get gateway(): RawGateway {
    return this.target.gateway;
  }

  get upstream(): Upstream {
    if (this.target.upstream === undefined) throw new Skipped('needs the upstream of tunnelspec beside the agent');
    return this.target.upstream;
  }

  /** So much of the agent's time, in ms of ours. */
  ms(peerMs: number): number {
    return peerMs / this.target.speed;
  }

  /** A new process with no history. */
  async restart(): Promise<void> {
    if (this.target.restart === undefined) throw new Skipped('needs an agent that tunnelspec may restart');
    this.gateway.skipTaken();
    await this.target.restart();
  }

  /** The agent's next connection, not yet greeted; HELLO is still to be taken. */
  async connection(withinMs = this.ms(REDIAL_MS)): Promise<RawPeer> {
    for (;;) {
      const { peer } = await this.gateway.attempt(withinMs);
      // One that came before this case began may be over.
      if (peer === undefined || peer.isOver) continue;
      this.#peers.push(peer);
      return peer;
    }
  }

  /** WELCOME as a frame; `changes` replace its members, undefined takes one out. */
  welcome(changes: Document = {}): Frame {
    const usual = { version: 1, features: [], sessionId: 's', replicaId: 'tunnelspec', gatewayVersion: '0.0.0' };
    return { type: FrameType.Welcome, document: { ...usual, ...changes } };
  }

  /** A greeted session. */
  async session(changes: Document = {}): Promise<{ peer: RawPeer; hello: FrameOf<typeof FrameType.Hello> }> {
    const peer = await this.connection();
    const hello = await peer.next(FrameType.Hello);
    peer.send(this.welcome(changes));
    await peer.expectAlive();
    return { peer, hello };
  }

  /** OPEN as a frame, with the next id of this session. */
  open(peer: RawPeer, head: Partial<RequestHead> = {}, isEnd = true): FrameOf<typeof FrameType.Open> {
    const streamId = (this.#lastIds.get(peer) ?? 0) + 1;
    this.#lastIds.set(peer, streamId);
    return { type: FrameType.Open, streamId, isEnd, head: { ...GET, ...head } };
  }

  /** Cuts what the case left open, so that the next one begins with a new connection. */
  async clean(): Promise<void> {
    const peers = this.#peers.splice(0);
    for (const peer of peers) peer.drop();
    await Promise.all(peers.map((peer) => peer.ended().catch(() => {})));
    this.gateway.refusal = undefined;
  }
}
