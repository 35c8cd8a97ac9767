import { expect } from 'chai';
import { connectGateway, DialError } from '../../agent/dial.ts';
import { CONNECT_PATH, SUBPROTOCOL } from '../../tunnel/session/settings.ts';
import { ManualClock } from '../support/manual-clock.ts';
import { until } from '../support/turns.ts';
import { StubGateway } from './stub-gateway.ts';

const TOKEN = 'ct1.abcdefghij.secret';
const NEVER = new AbortController().signal;

describe('agent/dial', () => {
  let gateway: StubGateway;
  const clock = new ManualClock();

  beforeEach(async () => {
    gateway = await StubGateway.start();
  });
  afterEach(() => gateway.close());

  const dial = (ca: string, signal = NEVER, gatewayUrl = gateway.url) =>
    connectGateway({ gatewayUrl, credentials: { token: TOKEN, ca }, clock }, signal);

  /** The error of an attempt that must fail. */
  const failure = async (attempt: Promise<unknown>): Promise<DialError> => {
    const error: unknown = await attempt.then(
      () => undefined,
      (reason: unknown) => reason,
    );
    expect(error).to.be.instanceOf(DialError);
    return error as DialError;
  };

  it('opens a WebSocket with token and subprotocol, and no mask', async () => {
    const socket = await dial(gateway.ca);
    const [request] = gateway.requests;
    expect(request?.url).to.equal(CONNECT_PATH);
    expect(request?.headers.authorization).to.equal(`Bearer ${TOKEN}`);
    expect(request?.headers['sec-websocket-protocol']).to.equal(SUBPROTOCOL);
    expect(request?.headers['sec-websocket-extensions']).to.equal(undefined);
    expect(request?.headers.origin).to.equal(undefined);
    expect(socket.protocol).to.equal(SUBPROTOCOL);
    expect(clock.pending, 'timers').to.equal(0);
    socket.terminate();
  });

  it('never sends a byte to a gateway that its CA does not vouch for', async () => {
    const other = await StubGateway.start();
    const error = await failure(dial(other.ca));
    expect(error.message).to.include('not signed by the expected CA').and.include(gateway.url);
    expect(error.message).to.not.include(TOKEN);
    await until(() => gateway.connections === 1);
    expect(gateway.requests).to.deep.equal([]);
    expect(gateway.receivedBytes).to.equal(0);
    await other.close();
  });

  it('never sends a byte to a gateway of another name', async () => {
    const misnamed = await StubGateway.start(['127.0.0.9']);
    const error = await failure(dial(misnamed.ca, NEVER, misnamed.url));
    expect(error.message).to.include('certificate is for other names');
    expect(misnamed.receivedBytes).to.equal(0);
    await misnamed.close();
  });

  it('names the hop and what to look at when the connection is refused', async () => {
    const { url, ca } = gateway;
    await gateway.close();
    const error = await failure(dial(ca, NEVER, url));
    expect(error.message).to.equal(
      `gateway ${url}: connection refused: is the server running, and is this its address?`,
    );
    expect(error.isRejection).to.equal(false);
    gateway = await StubGateway.start();
  });

  it('repeats what a gateway says that rejects it', async () => {
    const message = 'the agent token is not valid: apply a fresh manifest or Secret';
    for (const status of [401, 403, 404]) {
      gateway.refusal = { status, body: JSON.stringify({ kind: 'Status', message }) };
      const error = await failure(dial(gateway.ca));
      expect(error.isRejection).to.equal(true);
      expect(error.message).to.include(`answered ${status}: ${message}`);
    }
  });

  it('takes a draining or broken gateway for one that may be back soon', async () => {
    for (const [status, body] of [
      [429, '{"message":"the gateway is leaving"}'],
      [502, '<html>bad gateway</html>'],
      [503, ''],
    ] as const) {
      gateway.refusal = { status, body };
      const error = await failure(dial(gateway.ca));
      expect(error.isRejection).to.equal(false);
      expect(error.message).to.include(`answered ${status}`);
    }
  });

  it('gives up when told to', async () => {
    const stop = new AbortController();
    const reason = new Error('the agent stops');
    const attempt = dial(gateway.ca, stop.signal);
    stop.abort(reason);
    const error: unknown = await attempt.catch((thrown: unknown) => thrown);
    expect(error).to.equal(reason);
    expect(clock.pending).to.equal(0);
  });

  it('gives up on a gateway that says nothing in time', async () => {
    const attempt = failure(dial(gateway.ca));
    clock.advance(15_000);
    expect((await attempt).message).to.include('no answer within 15000 ms');
  });
});
