import { SETTINGS } from '../support/gateway-fixture.ts';
import { ALL_WAYS, type FaultCase, REQUESTS } from './fault-stage.ts';

const WRITE = { method: 'POST', body: '{}' };
/** So short that a test can wait for it in real time: that of ordinary requests is undici's own. */
const HASTY = { ...SETTINGS, timeouts: { ...SETTINGS.timeouts, upstreamHeadersMs: 100 } };

/** Between the agent and its API server. */
export const UPSTREAM_FAULTS: readonly FaultCase[] = [
  {
    kind: 'upstream_unreachable',
    what: 'nobody listens there',
    ways: ALL_WAYS,
    question: WRITE,
    provoke: async ({ path }, ask) => {
      await path.upstream.close();
      return ask();
    },
    tells: /the agent of tunnel "c1" cannot reach the API server: .*connection refused: is the server running/,
    isNamed: true,
  },
  {
    kind: 'upstream_unreachable',
    what: 'its certificate is of another authority',
    ways: ALL_WAYS,
    question: WRITE,
    provoke: ({ path }, ask) => {
      path.agent.upstream.reconfigure({ ca: path.gateway.ca });
      return ask();
    },
    tells: 'its certificate was not signed by the expected CA',
    isNamed: true,
  },
  {
    kind: 'upstream_unreachable',
    what: 'its name cannot be resolved',
    ways: ALL_WAYS,
    question: WRITE,
    options: { upstreamUrl: 'https://no..name:6443' },
    tells: 'the host name cannot be resolved: check the name and DNS',
    isNamed: true,
  },
  {
    kind: 'upstream_reset_read',
    what: 'it breaks the connection under a read',
    ways: REQUESTS,
    provoke: ({ path }, ask) => {
      path.upstream.answer = ({ socket }) => socket.destroy();
      return ask();
    },
    tells: /the API server behind tunnel "c1" broke the connection: /,
    isNamed: true,
    executed: 1,
  },
  {
    kind: 'upstream_reset_write',
    what: 'it breaks the connection under a write',
    ways: ALL_WAYS,
    question: WRITE,
    provoke: ({ path }, ask) => {
      path.upstream.answer = ({ socket }) => socket.destroy();
      path.upstream.script = { instead: '', run: (upgraded) => path.upstream.break(upgraded) };
      return ask();
    },
    tells: /the API server behind tunnel "c1" broke the connection; the request may have been executed: /,
    isNamed: true,
    executed: 1,
  },
  {
    kind: 'upstream_timeout',
    what: 'it does not begin to answer',
    ways: ALL_WAYS,
    options: { settings: HASTY },
    question: WRITE,
    provoke: async (stage, ask, way) => {
      const { upstream, gateway } = stage.path;
      upstream.answer = () => {};
      upstream.script = { instead: '' };
      const told = ask();
      await stage.arrived();
      if (way === 'upgrade') gateway.clock.advance(HASTY.timeouts.upstreamHeadersMs);
      return told;
    },
    tells: /the API server behind tunnel "c1" did not answer in time; the request may have been executed: /,
    isNamed: true,
    executed: 1,
  },
  {
    kind: 'upstream_protocol',
    what: 'it redirects',
    ways: ALL_WAYS,
    question: WRITE,
    provoke: ({ path }, ask) => {
      path.upstream.answer = (_, response) => response.writeHead(302, { location: 'https://evil/' }).end();
      path.upstream.script = { instead: 'HTTP/1.1 302 Found\r\nLocation: https://evil/\r\nContent-Length: 0\r\n\r\n' };
      return ask();
    },
    tells:
      /the API server behind tunnel "c1" gave an answer that may not pass; the request may have been executed: .*redirect/,
    isNamed: true,
    executed: 1,
  },
  {
    kind: 'upstream_protocol',
    what: 'it speaks no HTTP',
    ways: REQUESTS,
    question: WRITE,
    provoke: ({ path }, ask) => {
      path.upstream.answer = ({ socket }) => socket.end('SSH-2.0-OpenSSH_9.6\r\n');
      return ask();
    },
    tells: /broke HTTP\/1\.1/,
    isNamed: true,
    executed: 1,
  },
];
