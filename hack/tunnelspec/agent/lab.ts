import { FrameType } from '../../../tunnel/wire/codes.ts';
import type { Document, Slots } from '../../../tunnel/wire/documents.ts';
import type { Frame } from '../../../tunnel/wire/frame.ts';
import type { RequestHead } from '../../../tunnel/wire/head.ts';
import { Skipped } from '../case.ts';
import type { FrameOf, RawPeer } from '../peer.ts';
import type { Presented, RawGateway } from './raw-gateway.ts';
import { configFrame, type SettingsChange, USUAL_WORKERS } from './settings.ts';
import type { Asked, Upstream } from './upstream.ts';

/** A live agent that dials us. */
export interface AgentTarget {
  readonly gateway: RawGateway;
  /** Beside the agent; undefined: its upstream is another one, and cases that must see or steer it are skipped. */
  readonly upstream: Upstream | undefined;
  /** A certificate of the CA that the agent was given, for another host than the gateway's; undefined: we have none. */
  readonly namesake: Presented | undefined;
  /** How much faster than ours its time goes. */
  readonly speed: number;
  /** Ends the agent's process and starts a new one; undefined: it is not ours. */
  readonly restart: (() => Promise<void>) | undefined;
  /** Tells the agent to end, as the kubelet would; undefined: it is not ours. */
  readonly terminate: (() => void) | undefined;
}

/** A request that is under way: its OPEN, and what the upstream has of it. */
export interface UnderWay {
  readonly id: number;
  readonly asked: Asked;
}

/** How long a live agent may take to come back: its longest backoff, in ms of its time. */
const REDIAL_MS = 60_000;

/** A session, and what the agent said first. */
export interface Greeted {
  readonly peer: RawPeer;
  readonly hello: FrameOf<typeof FrameType.Hello>;
}

/** The slots that a HELLO announces. */
export function freeSlots({ document }: Greeted['hello']): Slots {
  return document['slots'] as Slots;
}

/** Each request that the upstream is to see has a path of its own. */
let requests = 0;

/** What `post` sends of the body. */
export const BODY_BEGINS = 'body: ';

function ownPath(): string {
  requests += 1;
  return `/tunnelspec/${requests}`;
}

/** What every OPEN of a case says unless it says otherwise. */
export const GET: RequestHead = {
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

  get namesake(): Presented {
    if (this.target.namesake === undefined) throw new Skipped("needs a certificate of the agent's CA for another name");
    return this.target.namesake;
  }

  /** So much of the agent's time, in ms of ours. */
  ms(peerMs: number): number {
    return peerMs / this.target.speed;
  }

  /** Tells the agent to end. A case that does so calls `restart` in the end. */
  terminate(): void {
    if (this.target.terminate === undefined) throw new Skipped('needs an agent that tunnelspec may end');
    this.target.terminate();
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

  /** A greeted session; the agent runs with the CRD's settings, whatever a case before has told it. */
  async session(changes: Document = {}): Promise<Greeted> {
    const first = await this.#greeted(changes);
    // Slots are announced once: those of more workers than there are now would be in the way of counting.
    if (freeSlots(first.hello).ordinary <= USUAL_WORKERS) return first;
    first.peer.drop();
    return this.#greeted(changes);
  }

  /** Brings settings into force. */
  async configure(peer: RawPeer, change: SettingsChange): Promise<void> {
    peer.send(configFrame(change));
    await peer.expectAlive();
  }

  /** OPEN as a frame, with the next id of this session. */
  open(peer: RawPeer, head: Partial<RequestHead> = {}, isEnd = true): FrameOf<typeof FrameType.Open> {
    const streamId = (this.#lastIds.get(peer) ?? 0) + 1;
    this.#lastIds.set(peer, streamId);
    return { type: FrameType.Open, streamId, isEnd, head: { ...GET, ...head } };
  }

  /** What was sent before has been handled. As `expectAlive`, without a PING: those are counted. */
  async roundTrip(peer: RawPeer): Promise<void> {
    const refused = this.open(peer, { identity: undefined });
    peer.send(refused);
    await peer.next(FrameType.Refused, ({ streamId }) => streamId === refused.streamId);
  }

  /** A request that has come to the upstream, which has not answered. */
  async request(peer: RawPeer, head: Partial<RequestHead> = {}): Promise<UnderWay> {
    const { upstream } = this;
    const open = this.open(peer, { path: ownPath(), ...head });
    peer.send(open);
    return { id: open.streamId, asked: await upstream.next(open.head.path) };
  }

  /** The same with a body that begins with BODY_BEGINS and has not ended: an upstream may hear of it with its first byte only. */
  async post(peer: RawPeer, head: Partial<RequestHead> = {}): Promise<UnderWay> {
    const { upstream } = this;
    const open = this.open(peer, { method: 'POST', path: ownPath(), ...head }, false);
    peer.send(open, { type: FrameType.Data, streamId: open.streamId, isEnd: false, data: Buffer.from(BODY_BEGINS) });
    return { id: open.streamId, asked: await upstream.next(open.head.path) };
  }

  async #greeted(changes: Document): Promise<Greeted> {
    const peer = await this.connection();
    const hello = await peer.next(FrameType.Hello);
    peer.send(this.welcome(changes), configFrame());
    await peer.expectAlive();
    return { peer, hello };
  }

  /** Cuts what the case left open, so that the next one begins with a new connection. */
  async clean(): Promise<void> {
    const peers = this.#peers.splice(0);
    this.gateway.refusal = undefined;
    this.gateway.present();
    this.target.upstream?.forgetCase();
    // Also connections that no case took: one that waited for long is about to give up.
    this.gateway.dropAll();
    this.gateway.skipTaken();
    await Promise.all(peers.map((peer) => peer.ended().catch(() => {})));
    // A slot that comes back late would be counted by the next case.
    await this.target.upstream?.quiet();
  }
}
