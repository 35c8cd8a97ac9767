import { once } from 'node:events';
import type { ServerResponse } from 'node:http';
import { connect } from 'node:tls';
import { expect } from 'chai';
import { until } from '../../hack/lab/until.ts';
import { bodyOf, PROTOCOLS } from '../support/gateway-fixture.ts';
import { opsText } from '../support/installed-lab.ts';
import { describePlayed, type PlayedTarget, TUNNEL } from '../support/played-target.ts';

const ROOT = `/clusters/${TUNNEL}/api/v1/namespaces/default`;
const SERVING_SECRET = 'clustertunnel-gateway-tls';
const QUIET_MS = 20_000;

describePlayed('the life of a gateway', { environment: { CLUSTERTUNNEL_SHUTDOWN_DELAY: '3' } }, (target) => {
  it('a serving certificate that is gone is issued anew and served at once; what runs goes on', async () => {
    const { lab, upstream } = target();
    await until('the agent is connected', async () => (await lab.counters())['sessions'] === 1 || undefined, QUIET_MS);
    upstream.answer = (_, response) => response.write('{"type":"BOOKMARK","object":{}}\n');
    const { body } = await target().client('h2').call(asked('configmaps?watch=true')).answer;
    await once(body, 'data');
    const before = await servedSerial(target());
    await lab.hub(['-n', 'clustertunnel-system', 'delete', 'secret', SERVING_SECRET]);
    const after = await until(
      'another certificate is served',
      async () => {
        const serial = await servedSerial(target());
        return serial === before ? undefined : serial;
      },
      QUIET_MS,
    );
    expect(after).to.match(/^[0-9A-F]+$/);
    expect(body.destroyed).to.equal(false);
    expect((await lab.counters())['sessions']).to.equal(1);
    body.destroy();
  });

  it('an operator that is told to go: not ready while it serves, then 429, what runs ends well, and it ends with 0', async () => {
    const { lab, upstream } = target();
    const held: ServerResponse[] = [];
    upstream.answer = ({ url }, response) => {
      if (url?.includes('held')) held.push(response);
      else if (url?.includes('watch=true')) response.write('{"type":"BOOKMARK","object":{}}\n');
      else response.end('{}');
    };
    const clients = PROTOCOLS.map((protocol) => target().client(protocol));
    const running = clients.map((client) => client.call(asked('configmaps/held')).answer.then(bodyOf));
    const watches = await Promise.all(
      PROTOCOLS.map((protocol) => target().client(protocol).call(asked('configmaps?watch=true')).answer),
    );
    const watched = watches.map(bodyOf);
    await until('both requests are at the API server', async () => held.length === 2 || undefined, QUIET_MS);
    const others = PROTOCOLS.map((protocol) => target().client(protocol));
    const statuses = () =>
      Promise.all(
        others.map(async (client) => {
          const { status } = await drained(client.call(asked('configmaps/quick')).answer);
          return status;
        }),
      );
    expect(await statuses()).to.deep.equal([200, 200]);
    const operator = lab.operator();
    process.kill(operator.pid, 'SIGTERM');
    await until(
      'it says that it leaves',
      async () => (await opsText(operator, 8080, '/readyz')).includes('leaving') || undefined,
      QUIET_MS,
    );
    expect(await statuses()).to.deep.equal([200, 200]);
    // Over HTTP/2 the connection is told to go with GOAWAY; new ones reach nobody, for the Service knows that it is not ready.
    await until(
      'new requests are told to come back',
      async () => {
        const answer = await drained(others[0]?.call(asked('configmaps/quick')).answer);
        if (answer.status === 200) return undefined;
        expect(answer.status).to.equal(429);
        expect(answer.headers).to.include({ 'retry-after': '5', connection: 'close' });
        return true;
      },
      QUIET_MS,
    );
    for (const response of held) response.end('{"kind":"held"}');
    expect(await Promise.all(running)).to.deep.equal(['{"kind":"held"}', '{"kind":"held"}']);
    for (const text of await Promise.all(watched)) expect(text).to.equal('{"type":"BOOKMARK","object":{}}\n');
    const pod = ['-n', 'clustertunnel-system', 'get', 'pod', operator.pod.pod];
    const exitCode = ['-o', 'jsonpath={.status.containerStatuses[0].lastState.terminated.exitCode}'];
    const code = await until(
      'the pod tells how its process ended',
      async () => (await lab.hub([...pod, ...exitCode])).stdout || undefined,
      QUIET_MS,
    );
    expect(code).to.equal('0');
  });

  const asked = (path: string) => ({ path: `${ROOT}/${path}`, token: target().token });
});

async function drained<Answer extends Parameters<typeof bodyOf>[0] & { status: number; headers: object }>(
  answer: Promise<Answer> | undefined,
): Promise<Answer> {
  if (answer === undefined) throw new RangeError('no such client');
  const got = await answer;
  await bodyOf(got);
  return got;
}

/** Of the certificate that new connections see. */
async function servedSerial(target: PlayedTarget): Promise<string> {
  const { hostname, port } = new URL(target.lab.lab.gatewayUrl);
  const socket = connect({ host: hostname, port: Number(port), ca: target.lab.gatewayCa });
  try {
    await once(socket, 'secureConnect');
    return socket.getPeerCertificate().serialNumber;
  } finally {
    socket.destroy();
  }
}
