import { seedOf } from '../../fuzz/random.ts';
import { Http1Door } from '../client/http1-door.ts';
import { Http2Door } from '../client/http2-door.ts';
import { Users } from '../client/users.ts';
import type { Attempt } from '../history.ts';
import { Journal } from '../journal.ts';
import { serve } from '../serve.ts';

/** Users of all tunnels over one protocol; every attempt goes into a journal. */

export interface ClientsStart {
  readonly url: string;
  readonly ca: string;
  readonly protocol: Attempt['protocol'];
  readonly tunnels: readonly string[];
  readonly usersPerTunnel: number;
  readonly seed: number;
  readonly journalPath: string;
}

let users: readonly Users[] = [];

const methods = {
  start({ url, ca, protocol, tunnels, usersPerTunnel, seed, journalPath }: ClientsStart) {
    const journal = new Journal<Attempt>(journalPath);
    const Door = protocol === 'h2' ? Http2Door : Http1Door;
    users = tunnels.map((tunnel, at) => {
      const door = new Door(`${url}/clusters/${tunnel}`, ca);
      const record = (attempt: Attempt) => journal.write(attempt);
      return new Users({ door, tunnel, count: usersPerTunnel, seed: seedOf(seed, at), record });
    });
    for (const each of users) each.start();
  },

  /** Resolves when the last answer has come, or has not come in time. */
  async stop() {
    await Promise.all(users.map((each) => each.stop()));
  },
};

export type ClientsMethods = typeof methods;

serve(methods);
