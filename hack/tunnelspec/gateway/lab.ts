import { randomUUID } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import { WebSocket } from 'ws';
import { CONNECT_PATH, SUBPROTOCOL } from '../../../tunnel/session/settings.ts';
import { FrameType } from '../../../tunnel/wire/codes.ts';
import type { Frame } from '../../../tunnel/wire/frame.ts';
import { Skipped } from '../case.ts';
import { type FrameOf, RawPeer } from '../peer.ts';
import { Call, type CallOptions } from './client.ts';
import { emptyAnswer, slots } from './words.ts';

/** How to reach a live gateway. */
export interface GatewayTarget {
  readonly url: string;
  /** PEM. */
  readonly ca: string;
  readonly tunnel: string;
  /** ct1.… of that tunnel. */
  readonly agentToken: string;
  /** Bearer token of a user who may use it; undefined: cases that need requests are skipped. */
  readonly userToken: string | undefined;
  /** A key that the tunnel's access.extras names, if any. */
  readonly extra?: string;
  /** How much faster than ours its time goes: 1 for a real one. */
  readonly speed: number;
  /** Sets spec.suspend of the tunnel, where somebody may: a suspended tunnel's sessions are drained. */
  readonly suspend?: (isSuspended: boolean) => Promise<void>;
}

export interface DialOptions {
  /** null: no Authorization. */
  readonly token?: string | null;
  /** null: none is offered. */
  readonly protocol?: string | null;
  readonly headers?: Readonly<Record<string, string>>;
}

/** What a gateway made of an upgrade. */
export interface Dialed {
  readonly status: number;
  readonly headers: IncomingMessage['headers'];
  /** When it was taken up. */
  readonly peer: RawPeer | undefined;
}

/** How long a client waits for an answer: some time for the network, and what the gateway may wait for itself. */
const SOON_MS = 3_000;
const LATER_MS = 10_000;
/** The User-Agent of the gateway's own requests. */
const PROBE_AGENT = 'clustertunnel-gateway';
/** The default HELLO of cases. */
const SLOTS = { ordinary: 100, longRunning: 100 };

/** What a case may do to a gateway: be its agent, be its client. One tunnel, for this case alone while it runs. */
export class GatewayLab {
  readonly target: GatewayTarget;
  readonly #peers: RawPeer[] = [];
  readonly #calls: Call[] = [];
  #isSuspended = false;

  constructor(target: GatewayTarget) {
    this.target = target;
  }

  /** So much of the gateway's time, in ms of ours. */
  ms(peerMs: number): number {
    return peerMs / this.target.speed;
  }

  /** An upgrade on the agents' door. */
  dial({ token, protocol, headers = {} }: DialOptions = {}): Promise<Dialed> {
    const { url, ca, agentToken } = this.target;
    const authorization = token === null ? {} : { authorization: `Bearer ${token ?? agentToken}` };
    const socket = new WebSocket(
      `${url.replace(/^https/, 'wss')}${CONNECT_PATH}`,
      protocol === null ? [] : [protocol ?? SUBPROTOCOL],
      // Offered so that a gateway that would take it up shows it.
      { ca, perMessageDeflate: true, headers: { ...authorization, ...headers }, skipUTF8Validation: true },
    );
    return new Promise((resolve, reject) => {
      let answer: IncomingMessage['headers'] = {};
      socket.once('upgrade', (response) => {
        answer = response.headers;
      });
      socket.once('open', () => {
        const peer = new RawPeer(socket);
        peer.isAside = (frame) => answersProbe(peer, frame);
        this.#peers.push(peer);
        resolve({ status: 101, headers: answer, peer });
      });
      socket.once('unexpected-response', (_request, response) => {
        response.resume();
        resolve({ status: response.statusCode ?? 0, headers: response.headers, peer: undefined });
        socket.on('error', () => {});
        socket.terminate();
      });
      socket.on('error', reject);
    });
  }

  /** A connection, not yet greeted. */
  async connect(): Promise<RawPeer> {
    const { peer, status } = await this.dial();
    if (peer === undefined) throw new Error(`the gateway refused the agent with ${status}`);
    return peer;
  }

  /** HELLO as a frame; `changes` replace its members, undefined takes one out. */
  hello(changes: Readonly<Record<string, unknown>> = {}): Frame {
    const usual = { versions: [1], features: [], instanceId: randomUUID(), agentVersion: '0.0.0', slots: SLOTS };
    return { type: FrameType.Hello, document: { ...usual, ...changes } };
  }

  /** A greeted session: WELCOME and CONFIG came. */
  async agent(changes: Readonly<Record<string, unknown>> = {}): Promise<RawPeer> {
    const peer = await this.connect();
    peer.send(this.hello(changes));
    await peer.next(FrameType.Welcome);
    await peer.next(FrameType.Config);
    return peer;
  }

  /** A client's request on this tunnel. */
  call(options: CallOptions = {}): Call {
    const { userToken, url, ca, tunnel } = this.target;
    if (userToken === undefined) throw new Skipped('needs --user-token: a user who may use the tunnel');
    const call = new Call({ url, ca, tunnel, token: userToken, patienceMs: SOON_MS + this.ms(LATER_MS) }, options);
    this.#calls.push(call);
    return call;
  }

  /** A key of extras that may pass. */
  get extra(): string {
    if (this.target.extra === undefined) throw new Skipped('needs a tunnel that names an extra');
    return this.target.extra;
  }

  /** A request and the OPEN that it became. */
  async opened(
    peer: RawPeer,
    options: CallOptions = {},
  ): Promise<{ call: Call; open: FrameOf<typeof FrameType.Open> }> {
    const call = this.call(options);
    return { call, open: await peer.next(FrameType.Open) };
  }

  /** Makes the gateway drain the sessions of this tunnel, until the case is over. */
  async suspend(): Promise<void> {
    const { suspend } = this.target;
    if (suspend === undefined) throw new Skipped('needs a gateway of its own, whose tunnel it may suspend');
    this.#isSuspended = true;
    await suspend(true);
  }

  /** Leaves nothing behind. */
  async clean(): Promise<void> {
    if (this.#isSuspended) await this.target.suspend?.(false);
    this.#isSuspended = false;
    for (const call of this.#calls.splice(0)) call.destroy();
    const peers = this.#peers.splice(0);
    for (const peer of peers) peer.close();
    await Promise.all(peers.map((peer) => peer.ended().catch(() => peer.socket.terminate())));
  }
}

/** What a live gateway asks by itself to see whether requests get through gets its answer, and is no case's. */
function answersProbe(peer: RawPeer, frame: Frame): boolean {
  if (frame.type !== FrameType.Open || !frame.head.headers.includes(PROBE_AGENT)) return false;
  peer.send(emptyAnswer(frame.streamId), slots(1));
  return true;
}
