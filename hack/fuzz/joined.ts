import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { WebSocket, WebSocketServer } from 'ws';
import { systemClock } from '../../process/clock.ts';
import { Budget } from '../../tunnel/flow/budget.ts';
import { AgentSession } from '../../tunnel/session/agent-session.ts';
import { GatewaySession } from '../../tunnel/session/gateway-session.ts';
import { DEFAULT_SETTINGS } from '../../tunnel/session/settings.ts';
import { Slabs } from '../../tunnel/session/slabs.ts';
import type { Stream } from '../../tunnel/session/stream.ts';
import { WEBSOCKET_OPTIONS, websocketTransport } from '../../tunnel/session/websocket.ts';
import { ErrorCode } from '../../tunnel/wire/codes.ts';
import type { RequestHead } from '../../tunnel/wire/head.ts';

const BUDGET_BYTES = 64 * 1024 * 1024;

export interface JoinOptions {
  readonly slots: number;
  /** A stream that arrived at the agent. */
  readonly serve: (stream: Stream, head: RequestHead) => void;
}

/** A gateway's and an agent's session in this process, joined by a real WebSocket. */
export interface Joined {
  readonly gateway: GatewaySession;
  readonly agent: AgentSession;
  readonly budgets: readonly Budget[];
  /** Sessions that ended, and why. */
  readonly ends: readonly string[];
  close(): Promise<void>;
}

export async function join({ slots, serve }: JoinOptions): Promise<Joined> {
  const { near, far, closed } = await connected();
  const ends: string[] = [];
  const onEnd = ({ reason }: { reason: string }) => ends.push(reason);
  const budgets = [new Budget(BUDGET_BYTES), new Budget(BUDGET_BYTES)] as const;
  const common = { clock: systemClock, settings: DEFAULT_SETTINGS, random: Math.random };
  const silent = { onSlots() {}, onHealth() {}, onConfig() {}, onLeaving() {}, onEnd };
  const gateway = new GatewaySession({
    ...common,
    transport: websocketTransport(far),
    budget: budgets[0],
    slabs: new Slabs({ isPoisoned: true }),
    sessionId: 'session',
    replicaId: 'replica',
    gatewayVersion: '0.1.0',
    events: { ...silent, onReady() {} },
  });
  gateway.session.listen();
  const agent = await new Promise<AgentSession>((resolve) => {
    const session: AgentSession = new AgentSession({
      ...common,
      transport: websocketTransport(near),
      budget: budgets[1],
      slabs: new Slabs({ isPoisoned: true }),
      hello: {
        versions: [1],
        features: [],
        instanceId: 'instance',
        agentVersion: '0.1.0',
        slots: { ordinary: slots, longRunning: 0 },
      },
      events: { ...silent, onReady: () => resolve(session), onStream: serve },
    });
    session.greet();
  });
  const close = async () => {
    agent.session.close(ErrorCode.None, 'done');
    await closed();
  };
  return { gateway, agent, budgets, ends, close };
}

/** Both ends of one WebSocket on loopback. */
async function connected(): Promise<{ near: WebSocket; far: WebSocket; closed: () => Promise<void> }> {
  const server = new WebSocketServer({ host: '127.0.0.1', port: 0, ...WEBSOCKET_OPTIONS });
  await once(server, 'listening');
  const near = new WebSocket(`ws://127.0.0.1:${(server.address() as AddressInfo).port}`, WEBSOCKET_OPTIONS);
  const [[far]] = await Promise.all([once(server, 'connection') as Promise<[WebSocket]>, once(near, 'open')]);
  const bothClosed = Promise.all([once(near, 'close'), once(far, 'close')]);
  const closed = async () => {
    await bothClosed;
    await new Promise((resolve) => server.close(resolve));
  };
  return { near, far, closed };
}
