import { attempt, type Way } from '../client/attempt.ts';
import type { Door, GivenUp } from '../client/call.ts';
import { askedFor, Crowd, type Member } from '../client/crowd.ts';
import type { Operation } from '../client/draw.ts';
import { Http1Door } from '../client/http1-door.ts';
import { Http2Door } from '../client/http2-door.ts';
import { upgrade } from '../client/upgrade.ts';
import type { Attempt } from '../history.ts';
import { Journal } from '../journal.ts';
import { serve } from '../serve.ts';

/** Users of one tunnel who ask for what they are told; every attempt goes into a journal. */

export interface AskersStart {
  readonly url: string;
  readonly ca: string;
  readonly protocol: Attempt['protocol'];
  readonly tunnel: string;
  readonly journalPath: string;
}

/** One request that can be left. Its id is its name. */
interface Single {
  readonly name: string;
  readonly user: string;
  readonly operation: Operation;
}

interface Begun {
  readonly leaving: AbortController;
  readonly over: Promise<Attempt>;
}

let start: AskersStart | undefined;
let journal: Journal<Attempt> | undefined;
let crowd: Crowd | undefined;
const doors = new Map<string, Door>();
/** Names of those whose answer has begun. */
const withHead = new Set<string>();
const singles = new Map<string, Begun>();

const methods = {
  start(options: AskersStart) {
    start = options;
    journal = new Journal<Attempt>(options.journalPath);
  },

  /** Each has so many requests under way, until `rest`. */
  keep({ run, members, operations }: Keep) {
    crowd = new Crowd({ tunnel: started().tunnel, run }, wayOf);
    crowd.keep(members, operations);
  },

  /** Resolves when the last answer has come. */
  rest: () => crowd?.rest(),

  /** Resolves when everybody has made his requests. */
  perform({ run, members, count, seed }: Perform) {
    return new Crowd({ tunnel: started().tunnel, run }, wayOf).perform(members, count, seed);
  },

  begin({ name, user, operation }: Single) {
    const leaving = new AbortController();
    const asked = askedFor(operation, { id: name, tunnel: started().tunnel, user });
    const onHead = () => void withHead.add(name);
    singles.set(name, { leaving, over: attempt(wayOf(user), { operation, asked, givingUp: leaving, onHead }) });
  },

  /** Resolves when the connection was switched, or will not be. */
  async upgrade({ name, user, operation }: Single) {
    const { url, ca, tunnel } = started();
    const leaving = new AbortController();
    const asked = askedFor(operation, { id: name, tunnel, user });
    await new Promise<void>((resolve) => {
      const switched = { url: `${url}/clusters/${tunnel}`, ca, asked, signal: leaving.signal, onSwitched: resolve };
      const over = upgrade(switched).then((seen) => {
        journal?.write(seen);
        resolve();
        return seen;
      });
      singles.set(name, { leaving, over });
      if (operation.holdMs > 0) resolve();
    });
  },

  hasHead: (name: string) => withHead.has(name),

  leave(name: string) {
    singles.get(name)?.leaving.abort('left' satisfies GivenUp);
  },

  /** What came of it, once something has. */
  outcome: (name: string) => singles.get(name)?.over,
};

interface Keep {
  readonly run: string;
  readonly members: readonly Member[];
  readonly operations: readonly Operation[];
}

interface Perform extends Omit<Keep, 'operations'> {
  /** Of each member. */
  readonly count: number;
  readonly seed: number;
}

export type AskersMethods = typeof methods;

serve(methods);

function started(): AskersStart {
  if (start === undefined) throw new Error('not started');
  return start;
}

/** Each user has connections of his own. */
function wayOf(user: string): Way {
  const { url, ca, tunnel, protocol } = started();
  const Door = protocol === 'h2' ? Http2Door : Http1Door;
  const door = doors.get(user) ?? new Door(`${url}/clusters/${tunnel}`, ca);
  doors.set(user, door);
  return { door, record: (seen) => journal?.write(seen) };
}
