import { ErrorCode, FrameType } from '../../tunnel/wire/codes.ts';
import type { Goaway, Hello } from '../../tunnel/wire/documents.ts';
import type { Frame } from '../../tunnel/wire/frame.ts';
import { AgentEnd, GatewayEnd, type Owner } from '../conformance/harness.ts';
import { Played } from './played.ts';
import { framesOf, type Message, type Outcome, outcomeOf } from './transcript.ts';
import { turn } from './transport-pair.ts';

/** Plays the agent's messages to a gateway of today, which does what the gateway of the recording did. */
export async function replayToGateway(messages: readonly Message[]): Promise<Outcome> {
  const line = new Played();
  const gateway = new GatewayEnd(line);
  const owners = new Map<number, Owner>();
  const act = (frame: Frame) => {
    if (frame.type === FrameType.Open) owners.set(frame.streamId, gateway.open(frame.head, frame.isEnd));
    else if (frame.type === FrameType.Config) gateway.gateway.configure(frame.document);
    else if (frame.type === FrameType.Goaway) leave(gateway.gateway.session, frame.document as unknown as Goaway);
    else if ('streamId' in frame) repeat(owners.get(frame.streamId), frame);
  };
  await play(messages, { heard: 'agent', line, act });
  return outcomeOf([...owners.values()], gateway.ends);
}

/** Plays the gateway's messages to an agent of today, which does what the agent of the recording did. */
export async function replayToAgent(messages: readonly Message[]): Promise<Outcome> {
  const line = new Played();
  const [hello] = framesOf(messages[0]?.bytes ?? Buffer.of());
  if (hello?.type !== FrameType.Hello) throw new Error('a recording begins with HELLO');
  const agent = new AgentEnd(line, { hello: hello.document as unknown as Hello });
  const owners = new Map<number, Owner>();
  agent.serve = (owner) => owners.set(owner.stream.id, owner);
  const act = (frame: Frame) => {
    if (frame.type === FrameType.Slots) agent.announce(frame.slots);
    else if (frame.type === FrameType.Health) agent.agent.health(frame.document);
    else if (frame.type === FrameType.Goaway) leave(agent.agent.session, frame.document as unknown as Goaway);
    else if ('streamId' in frame) repeat(owners.get(frame.streamId), frame);
  };
  await play(messages, { heard: 'gateway', line, act });
  return outcomeOf([...owners.values()], agent.ends);
}

interface Part {
  readonly heard: Message['from'];
  readonly line: Played;
  readonly act: (frame: Frame) => void;
}

async function play(messages: readonly Message[], { heard, line, act }: Part): Promise<void> {
  for (const { from, bytes } of messages) {
    if (from === heard) line.deliver(bytes);
    else for (const frame of framesOf(bytes)) if (frame !== undefined) act(frame);
    // A writer flushes one turn after it was woken, and hears of it one turn later.
    for (let turns = 0; turns < 3; turns++) await turn();
  }
  line.over();
}

/** Does to a stream what led to this frame. Credit, greetings and heartbeats come by themselves. */
function repeat(owner: Owner | undefined, frame: Frame): void {
  if (owner === undefined) throw new Error('a frame of a stream that was not opened');
  const { stream } = owner;
  switch (frame.type) {
    case FrameType.Head:
      stream.sendHead(frame.head);
      return;
    case FrameType.Data:
      stream.write(frame.data);
      if (frame.isEnd) stream.end();
      return;
    case FrameType.Trailers:
      return stream.end(frame.trailers);
    case FrameType.Reset:
      return stream.reset(frame.code as ErrorCode, frame.detail);
    case FrameType.Refused:
      return stream.refuse(frame.code as ErrorCode, frame.detail);
  }
}

function leave(session: GatewayEnd['gateway']['session'], { code, reason }: Goaway): void {
  if (code === ErrorCode.Draining) session.drain(code, reason);
  else session.close(code as ErrorCode, reason);
}
