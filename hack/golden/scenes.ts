import { deflateRawSync } from 'node:zlib';
import { OK } from '../../test/conformance/harness.ts';
import { ErrorCode } from '../../tunnel/wire/codes.ts';
import { Recording } from './recording.ts';

/** A quarter of the smallest window: the least for which credit goes back. */
const WORTH_CREDIT = Buffer.alloc(4_096, 'x');

/** Every frame type and flag, every kind of identity; the agent leaves at the end. */
async function everything(): Promise<Recording> {
  const recording = new Recording();
  const { gateway, agent } = recording;
  await recording.settle();
  gateway.gateway.configure({ generation: 1, tunnelUid: '11f0', limits: { maxConcurrentRequests: 4 } });
  agent.agent.health({ k8s_healthy: true, in_flight: 0 });
  await recording.settle();
  await plainRequests(recording);
  await longRunning(recording);
  await failures(recording);
  await recording.newer('agent', '000003 90 07 00000009 010203');
  await recording.newer('gateway', '000000 ff 00 00000000');
  await recording.pass(10_000);
  gateway.gateway.configure({ generation: 2, tunnelUid: '11f0' });
  const { client, server } = await recording.request({ path: '/version' }, false);
  agent.agent.session.drain(ErrorCode.Draining, 'rolling update');
  await recording.settle();
  client.stream.end();
  server.stream.sendHead(OK);
  server.stream.end();
  await recording.settle();
  return recording;
}

async function plainRequests(recording: Recording): Promise<void> {
  const read = await recording.request({});
  read.server.stream.sendHead({ status: 103, headers: ['Link', '</style.css>'] });
  read.server.stream.sendHead({ status: 200, headers: ['Content-Type', 'application/json', 'content-type', 'twice'] });
  read.server.stream.write(Buffer.from('{"kind":"PodList"'));
  read.server.stream.write(Buffer.from('}'));
  read.server.stream.end();
  await freed(recording, { ordinary: 1 });

  const identity = { user: 'bob', uid: '', groups: [] };
  const write = await recording.request({ method: 'POST', identity, traceId: '', headers: [] }, false);
  write.client.stream.write(Buffer.from('{"kind":"Pod"}'));
  write.client.stream.end();
  await recording.settle();
  write.server.stream.sendHead({ status: 201, headers: ['Trailer', 'X-Checksum'] });
  write.server.stream.write(Buffer.from('created'));
  write.server.stream.end(['X-Checksum', 'f00d']);
  await freed(recording, { ordinary: 1 });

  const upload = await recording.request({ method: 'PUT', path: '/api/v1/%2F\xe9', deadlineMs: 2 ** 32 - 1 }, false);
  upload.client.stream.write(WORTH_CREDIT);
  upload.client.stream.end(['X-Sent', 'all']);
  await recording.settle();
  upload.server.stream.sendHead({ status: 204, headers: [] });
  upload.server.stream.end();
  await freed(recording, { ordinary: 1 });
}

async function longRunning(recording: Recording): Promise<void> {
  const identity = { user: '\ufeffj\u00fcrgen \u6771', uid: '\ud83d\ude00', groups: ['', '\u0161'] };
  const path = '/api/v1/pods?watch=true';
  const watch = await recording.request({ path, identity, deadlineMs: 0, isLongRunning: true });
  watch.server.stream.sendHead(OK);
  watch.server.stream.write(WORTH_CREDIT);
  await recording.settle();
  watch.client.stream.reset(ErrorCode.Cancel, 'the client went away');
  await freed(recording, { longRunning: 1 });

  const exec = await recording.request({ method: 'POST', isLongRunning: true, isUpgrade: true, deadlineMs: 0 }, false);
  exec.server.stream.sendHead({ status: 101, headers: ['Connection', 'Upgrade', 'Upgrade', 'v5.channel.k8s.io'] });
  await recording.settle();
  exec.client.stream.write(Buffer.from([0, 255]));
  exec.server.stream.write(Buffer.from([1, 254]));
  exec.client.stream.end();
  await recording.settle();
  exec.server.stream.write(Buffer.from('late'));
  exec.server.stream.end();
  await freed(recording, { longRunning: 1 });

  const attach = await recording.request({ isUpgrade: true });
  attach.server.stream.sendHead({ status: 403, headers: [] });
  attach.server.stream.end();
  await freed(recording, { ordinary: 1 });
}

async function failures(recording: Recording): Promise<void> {
  const nobody = await recording.request({ identity: undefined });
  nobody.server.stream.refuse(ErrorCode.PolicyDenied, 'the request has no identity');
  await freed(recording, { ordinary: 1 });
  const broken = await recording.request({});
  broken.server.stream.sendHead(OK);
  broken.server.stream.write(Buffer.from('half of '));
  await recording.settle();
  broken.server.stream.reset(ErrorCode.UpstreamReset, 'ECONNRESET');
  await freed(recording, { ordinary: 1 });
}

async function freed(recording: Recording, slots: { ordinary?: number; longRunning?: number }): Promise<void> {
  await recording.settle();
  recording.agent.announce(slots);
  await recording.settle();
}

async function gatewayLeaves(): Promise<Recording> {
  const recording = new Recording();
  await recording.settle();
  const { server } = await recording.request({});
  recording.gateway.gateway.session.drain(ErrorCode.Draining, 'the gateway is updated');
  await recording.settle();
  server.stream.sendHead(OK);
  server.stream.write(Buffer.from('to the end'));
  server.stream.end();
  await recording.settle();
  return recording;
}

async function revoked(): Promise<Recording> {
  const recording = new Recording();
  await recording.settle();
  await recording.request({}, false);
  recording.gateway.gateway.session.close(ErrorCode.Revoked, 'the tunnel was deleted');
  await recording.settle();
  return recording;
}

async function noVersion(): Promise<Recording> {
  const recording = new Recording({ versions: [7, 8] });
  await recording.settle();
  return recording;
}

/** The features and members that version 1 was given after its first release. */
async function additions(): Promise<Recording> {
  const previous = { sessionId: 'the one before', lastStreamId: 12 };
  const recording = new Recording({ features: ['unheard-of', 'deflate'], connection: 1, previous });
  await recording.settle();
  const { server } = await recording.request({});
  server.stream.sendHead({ ...OK, isDeflated: true });
  server.stream.write(deflateRawSync(WORTH_CREDIT));
  server.stream.end();
  await recording.settle();
  recording.agent.agent.session.drain(ErrorCode.Draining, 'done');
  await recording.settle();
  return recording;
}

/** The feature `extras`: a user with and one without. */
async function extras(): Promise<Recording> {
  const recording = new Recording({ features: ['extras'] });
  await recording.settle();
  const known = [
    { key: 'example.com/scopes', values: ['read', 'write', ''] },
    { key: '\u0161', values: ['\ufeff'] },
  ];
  for (const identity of [
    { user: 'jane', uid: '7a1c', groups: ['dev'], extras: known },
    { user: 'bob', uid: '', groups: [] },
  ]) {
    const { server } = await recording.request({ identity });
    server.stream.sendHead(OK);
    server.stream.end();
    await recording.settle();
  }
  recording.agent.agent.session.drain(ErrorCode.Draining, 'done');
  await recording.settle();
  return recording;
}

/** Every recording, by name. */
export const SCENES: Readonly<Record<string, () => Promise<Recording>>> = {
  'v1-everything': everything,
  'v1-gateway-leaves': gatewayLeaves,
  'v1-revoked': revoked,
  'v1-no-version': noVersion,
  'v1-additions': additions,
  'v1-extras': extras,
};
