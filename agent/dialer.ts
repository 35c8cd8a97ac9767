import type { Clock } from '../process/clock.ts';
import type { Logger } from '../process/log.ts';
import { describeError } from '../process/redact.ts';
import type { AgentSession } from '../tunnel/session/agent-session.ts';
import type { SessionEnd } from '../tunnel/session/session.ts';
import type { Transport } from '../tunnel/session/transport.ts';
import { ErrorCode, nameOf } from '../tunnel/wire/codes.ts';
import type { Goaway, Previous, Welcome } from '../tunnel/wire/documents.ts';
import { DialError } from './dial.ts';
import { advanceDial, type DialEvent, type DialState } from './dial-state.ts';
import { redialDelay, STABLE_MS } from './redial-delay.ts';
import type { DialEvents, Introduction } from './serve.ts';

/** A dialer keeps one connection; there is one dialer a process. */
const CONNECTION = 0;
/** How often a rejected agent looks whether it was given a new token. */
const LOOK_EVERY_MS = 5_000;

export interface DialerOptions {
  /** One attempt: an open connection to the gateway. @throws DialError, or the signal's reason. */
  readonly connect: (signal: AbortSignal) => Promise<Transport>;
  /** A session on it, not yet greeted. */
  readonly open: (transport: Transport, introduction: Introduction, events: DialEvents) => AgentSession;
  /** Whether the credential is another one than that of the last attempt. */
  readonly hasNewCredential: () => Promise<boolean>;
  /** Bounds of the delay, as they are now. */
  readonly backoff: () => { readonly minMs: number; readonly maxMs: number };
  readonly clock: Clock;
  readonly random: () => number;
  readonly log: Logger;
  /** A session is ready. */
  readonly onReady: (session: AgentSession) => void;
  readonly onDialed: (result: 'ready' | 'failed' | 'rejected' | 'lost') => void;
}

/** Keeps one session with a gateway. The only place that dials; at most one attempt is under way. */
export class Dialer {
  readonly #options: DialerOptions;
  readonly #stopping = new AbortController();
  /** All that have not ended: the current one, and those that finish their streams. */
  readonly #sessions = new Set<AgentSession>();
  /** The session that the state speaks of. */
  #current: AgentSession | undefined;
  /** Of the last session that was ready, if it was lost: told until a gateway has said welcome again. */
  #previous: Previous | undefined;
  #state: DialState = 'idle';
  #readyMs = 0;
  #attempt = 0;
  #rejections = 0;
  #cancelBackoff: () => void = () => {};
  #cancelLook: () => void = () => {};
  #onDrained: () => void = () => {};

  constructor(options: DialerOptions) {
    this.#options = options;
  }

  get state(): DialState {
    return this.#state;
  }

  get sessions(): ReadonlySet<AgentSession> {
    return this.#sessions;
  }

  /** The session that takes new requests; undefined while there is none. */
  get ready(): AgentSession | undefined {
    return this.#state === 'ready' ? this.#current : undefined;
  }

  start(): void {
    this.#advance('start');
  }

  /** Dials no more; running streams finish until `signal` is aborted. Resolves when no session is left. */
  async stop(signal: AbortSignal): Promise<void> {
    if (!this.#advance('stop')) return;
    this.#stopping.abort(new Error('the agent stops'));
    this.#cancelBackoff();
    const drained = new Promise<void>((resolve) => {
      this.#onDrained = resolve;
    });
    const cut = () => {
      for (const { session } of [...this.#sessions]) session.close(ErrorCode.Draining, 'the agent stopped');
    };
    signal.addEventListener('abort', cut, { once: true });
    for (const { session } of [...this.#sessions]) session.drain(ErrorCode.Draining, 'the agent stops');
    if (signal.aborted) cut();
    this.#noteDrained();
    await drained;
    signal.removeEventListener('abort', cut);
  }

  /** False: the event is of something given up already. */
  #advance(event: DialEvent): boolean {
    const next = advanceDial(this.#state, event);
    if (next === undefined) return false;
    this.#state = next;
    // #dial never rejects: what goes wrong becomes an event.
    if (next === 'connecting') void this.#dial();
    return true;
  }

  async #dial(): Promise<void> {
    const { connect, open, log } = this.#options;
    let transport: Transport;
    try {
      transport = await connect(this.#stopping.signal);
    } catch (error) {
      const isRejection = error instanceof DialError && error.isRejection;
      if (this.#advance('failed'))
        this.#backOff(describeError(error), isRejection, isRejection ? 'rejected' : 'failed');
      return;
    }
    if (!this.#advance('opened')) return transport.destroy();
    log.debug('connected, greeting');
    const introduction = { connection: CONNECTION, previous: this.#previous };
    const session: AgentSession = open(transport, introduction, {
      onReady: (welcome) => this.#ready(session, welcome),
      onLeaving: (goaway) => this.#leaving(session, goaway),
      onEnd: (end) => this.#ended(session, end),
    });
    this.#current = session;
    this.#sessions.add(session);
    session.greet();
  }

  #ready(session: AgentSession, { sessionId, replicaId, gatewayVersion }: Welcome): void {
    if (session !== this.#current || !this.#advance('welcomed')) return;
    const { clock, log, onReady, onDialed } = this.#options;
    this.#readyMs = clock.nowMs();
    this.#previous = undefined;
    log.info('session opened', { session: sessionId, replica: replicaId, gatewayVersion });
    onDialed('ready');
    onReady(session);
  }

  /**
   * Make before break: the next session is dialled while this one finishes its streams. REPLACED says that somebody else
   * greeted as this process: to dial at once would only replace him in turn.
   */
  #leaving(session: AgentSession, { code, reason }: Goaway): void {
    if (session !== this.#current) return;
    const { log } = this.#options;
    if (code === ErrorCode.Replaced) log.warn('another session greeted with the id of this process', { reason });
    else log.info('gateway leaves', { reason, code: nameOf(code) });
    this.#current = undefined;
    const mayFollowAtOnce = code === ErrorCode.Draining && this.#noteStability();
    if (mayFollowAtOnce && this.#advance('leaving')) return;
    if (this.#advance('ended')) this.#backOff(reason, code === ErrorCode.Revoked, 'lost');
  }

  #ended(session: AgentSession, { code, reason }: SessionEnd): void {
    this.#sessions.delete(session);
    if (session === this.#current) {
      this.#current = undefined;
      this.#previous ??= session.previous;
      this.#noteStability();
      if (this.#advance('ended')) this.#backOff(reason, code === ErrorCode.Revoked, 'lost');
    }
    this.#noteDrained();
  }

  /** Whether the session that just ended was a good one; then earlier failures are forgotten. */
  #noteStability(): boolean {
    const isStable = this.#state === 'ready' && this.#options.clock.nowMs() - this.#readyMs >= STABLE_MS;
    if (isStable) {
      this.#attempt = 0;
      this.#rejections = 0;
    }
    return isStable;
  }

  #noteDrained(): void {
    if (this.#sessions.size === 0 && this.#advance('drained')) this.#onDrained();
  }

  #backOff(reason: string, isRejection: boolean, result: 'failed' | 'rejected' | 'lost'): void {
    const { clock, random, backoff, log, onDialed } = this.#options;
    onDialed(result);
    this.#attempt += 1;
    this.#rejections = isRejection ? this.#rejections + 1 : 0;
    const facts = { attempt: this.#attempt, rejections: this.#rejections, random: random(), ...backoff() };
    const { delayMs, needsCredential } = redialDelay(facts);
    log.warn(result === 'lost' ? 'session lost' : 'cannot reach the gateway', {
      reason,
      attempt: this.#attempt,
      retryInMs: delayMs,
    });
    const waits = new AbortController();
    const cancelDelay = clock.after(delayMs, () => this.#due(waits));
    this.#cancelBackoff = () => {
      waits.abort();
      cancelDelay();
      this.#cancelLook();
    };
    if (needsCredential) this.#awaitCredential(waits);
  }

  #due(waits: AbortController): void {
    if (waits.signal.aborted) return;
    this.#cancelBackoff();
    this.#advance('due');
  }

  /** A new token ends the wait of a rejected agent. */
  #awaitCredential(waits: AbortController): void {
    const { clock, hasNewCredential, log } = this.#options;
    this.#cancelLook = clock.after(LOOK_EVERY_MS, () => {
      hasNewCredential().then(
        (isNew) => {
          if (isNew) this.#due(waits);
          else if (!waits.signal.aborted) this.#awaitCredential(waits);
        },
        (error: unknown) => {
          log.debug('cannot look for a new token', { error });
          if (!waits.signal.aborted) this.#awaitCredential(waits);
        },
      );
    });
  }
}
