import { once } from 'node:events';
import { type ClientHttp2Session, type ClientHttp2Stream, connect, constants } from 'node:http2';
import { expect } from 'chai';
import { ErrorCode } from '../../../tunnel/wire/codes.ts';
import { GatewayFixture } from '../../support/gateway-fixture.ts';
import { turns, until } from '../../support/turns.ts';

const MEBIBYTE = 1024 * 1024;
const PODS = '/clusters/c1/api/v1/pods';

/** RST_STREAM(NO_ERROR) is how clients on Node go away when nobody told them why: `stream.destroy()`. */
describe('operator/gateway, a client that resets its stream without an error', () => {
  let fixture: GatewayFixture;
  let session: ClientHttp2Session;

  beforeEach(async () => {
    fixture = await GatewayFixture.start();
    session = connect(fixture.url, { ca: fixture.ca });
  });

  afterEach(async () => {
    session.destroy();
    await fixture.stop();
  });

  function ask(path: string, { method = 'GET', endStream = true } = {}): ClientHttp2Stream {
    const stream = session.request({ ':method': method, ':path': path, authorization: 'Bearer alice' }, { endStream });
    stream.on('error', () => {});
    return stream;
  }

  it('has left, before the head', async () => {
    const agent = await fixture.agent();
    const stream = ask(PODS);
    const served = await agent.request();
    stream.close(constants.NGHTTP2_NO_ERROR);
    await until(() => served.isClosed);
    expect(served.error?.code).to.equal(ErrorCode.Cancel);
    await until(() => fixture.isQuiet);
  });

  it('has left a watch of which it has read all so far', async () => {
    const agent = await fixture.agent();
    const stream = ask(`${PODS}?watch=true`);
    const served = await agent.request();
    served.stream.sendHead({ status: 200, headers: [] });
    served.stream.write(Buffer.from('{}'));
    await once(stream, 'data');
    stream.destroy();
    await until(() => served.isClosed);
    expect(served.error?.code).to.equal(ErrorCode.Cancel);
    await until(() => fixture.isQuiet);
  });

  it('has left an answer in the middle', async () => {
    const agent = await fixture.agent();
    const stream = ask(PODS);
    const served = await agent.request();
    served.stream.sendHead({ status: 200, headers: [] });
    void served.pour(8 * MEBIBYTE);
    await once(stream, 'readable');
    stream.close(constants.NGHTTP2_NO_ERROR);
    await until(() => served.isClosed);
    expect(served.error?.code).to.equal(ErrorCode.Cancel);
    await until(() => fixture.isQuiet);
  });

  it('has left an answer that it did not read', async () => {
    const agent = await fixture.agent();
    const stream = ask(PODS);
    const served = await agent.request();
    served.stream.sendHead({ status: 200, headers: [] });
    let poured = 0;
    void served.pour(8 * MEBIBYTE, (bytes) => {
      poured = bytes;
    });
    await once(stream, 'readable');
    for (let before = -1; poured !== before; await turns(100)) before = poured;
    stream.close(constants.NGHTTP2_NO_ERROR);
    await until(() => served.isClosed);
    expect(served.error?.code).to.equal(ErrorCode.Cancel);
    await until(() => fixture.isQuiet);
  });

  it('has left an answer that was complete but not read', async () => {
    const agent = await fixture.agent();
    const stream = ask(PODS);
    const served = await agent.request();
    // More than an HTTP/2 window, less than what the gateway takes at once.
    served.answer(200, [], 'x'.repeat(100_000));
    await once(stream, 'readable');
    await until(() => served.isClosed);
    stream.close(constants.NGHTTP2_NO_ERROR);
    await turns(100);
    await fixture.pass(1_000);
    await until(() => fixture.isQuiet);
  });
});
