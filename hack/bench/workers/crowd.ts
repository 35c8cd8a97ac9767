import { Agent, request } from 'node:https';
import { setTimeout as pause } from 'node:timers/promises';
import { serve } from '../../load/serve.ts';

/** Users who do not care what comes of it: each asks again and again, and leaves when it takes too long. */

interface Gathering {
  /** Of one tunnel: https://host:port/clusters/name. */
  readonly url: string;
  readonly ca: string;
  readonly path: string;
  readonly users: number;
  /** After which a user leaves and comes again. */
  readonly patienceMs: number;
  /** Between an answer and the next request. */
  readonly pauseMs: number;
}

let leaving = new AbortController();
let running: Promise<void>[] = [];
const outcomes = new Map<string, number>();

const methods = {
  start(gatherings: readonly Gathering[]) {
    leaving = new AbortController();
    outcomes.clear();
    running = gatherings.flatMap((gathering) => {
      const agent = new Agent({ ca: gathering.ca, keepAlive: true, maxSockets: gathering.users });
      return Array.from({ length: gathering.users }, () => use(gathering, agent, leaving.signal));
    });
  },

  /** All of them go. Resolves with what they had seen by then: how often, by status or `none`. */
  async stop() {
    leaving.abort();
    await Promise.all(running);
    return Object.fromEntries(outcomes);
  },
};

export type CrowdMethods = typeof methods;

serve(methods);

async function use(gathering: Gathering, agent: Agent, signal: AbortSignal): Promise<void> {
  while (!signal.aborted) {
    const status = await ask(gathering, agent, AbortSignal.any([signal, AbortSignal.timeout(gathering.patienceMs)]));
    const name = String(status ?? 'none');
    outcomes.set(name, (outcomes.get(name) ?? 0) + 1);
    await pause(gathering.pauseMs);
  }
  agent.destroy();
}

/** @returns the status of a whole answer; undefined: none came */
function ask({ url, path }: Gathering, agent: Agent, signal: AbortSignal): Promise<number | undefined> {
  return new Promise((resolve) => {
    let status: number | undefined;
    const headers = { authorization: 'Bearer crowd' };
    const outgoing = request(`${url}${path}`, { agent, headers, signal });
    outgoing.on('error', () => {}); // 'close' says that it is over
    outgoing.once('response', (response) => {
      response.resume();
      response.on('error', () => {}); // likewise
      response.once('end', () => {
        status = response.statusCode;
      });
    });
    outgoing.once('close', () => resolve(status));
    outgoing.end();
  });
}
