import { execFileSync } from 'node:child_process';
import { expect } from 'chai';
import { type ClientsLab, DIRECT, HTTP2, type Way } from '../../support/parity/clients-lab.ts';
import {
  bodyOf,
  type CurlAnswer,
  type CurlStep,
  curl,
  HTTP_VERSIONS,
  type HttpVersion,
} from '../../support/parity/curl.ts';
import { CURLING, TOO_LARGE } from '../../support/parity/curl-steps.ts';
import { inTurn } from '../../support/parity/in-turn.ts';
import { masked } from '../../support/parity/masked.ts';

/** The system's curl, over what it speaks: byte for byte what the API server answers. */
export function curlSuite(lab: () => ClientsLab): void {
  const spoken = curlVersions();
  for (const version of HTTP_VERSIONS) {
    if (spoken.includes(version)) overVersion(version, lab);
    else it.skip(`curl over HTTP/${version} (there is no curl here that speaks it)`);
  }
}

function overVersion(version: HttpVersion, lab: () => ClientsLab): void {
  describe(`curl over HTTP/${version}`, () => {
    let answers: ReadonlyMap<Way, readonly Promise<CurlAnswer>[]>;
    let ended: Promise<unknown>;

    before(async () => {
      const exact = await currentVersion(lab());
      const ask = (way: Way, step: CurlStep) =>
        curl(lab(), way, version, { ...step, path: step.path.replace('{version}', exact) });
      ({ results: answers, ended } = inTurn([DIRECT, HTTP2], CURLING, ask));
    });
    after(() => ended);

    CURLING.forEach((step, at) => {
      it(step.title, async () => {
        const [direct, through] = await Promise.all([answers.get(DIRECT)?.[at], answers.get(HTTP2)?.[at]]);
        if (direct === undefined || through === undefined) throw new RangeError('curl was not run');
        expect([statusOf(direct), direct.exitCode], direct.stderr).to.deep.equal([step.status, step.exitCode ?? 0]);
        expect(shown(lab(), through)).to.deep.equal(shown(lab(), direct));
      });
    });

    for (const [step, reason] of [
      [TOO_LARGE, 'RequestEntityTooLarge'],
      [{ title: 'a token of nobody', path: '/version', status: 401, isStranger: true }, 'Unauthorized'],
    ] as const) {
      it(step.title, async () => {
        const answer = await curl(lab(), HTTP2, version, step);
        expect([statusOf(answer), answer.exitCode], answer.stderr).to.deep.equal([step.status, 0]);
        expect(JSON.parse(answer.body.toString())).to.include({ kind: 'Status', code: step.status, reason });
      });
    }
  });
}

/** Of the last head. */
function statusOf({ heads }: CurlAnswer): number {
  return Number(heads.at(-1)?.[0]?.split(' ')[1]);
}

/** What must not differ. How long curl waited before it gave up is a time; where a redirect leads begins at the server's URL. */
function shown(clients: ClientsLab, answer: CurlAnswer) {
  const below = new URL(clients.url(HTTP2)).pathname;
  const { exitCode, stderr, heads } = answer;
  return {
    exitCode,
    stderr: stderr.replace(/after \d+ milliseconds/, 'after <time>'),
    heads: heads.map((head) => head.map((line) => masked(line.replace(`location: ${below}/`, 'location: /')))),
    body: masked(bodyOf(answer)),
  };
}

/** Lists of this version have the same bytes whenever they are asked for. */
async function currentVersion({ lab }: ClientsLab): Promise<string> {
  const list = await lab.target.client.get<{ metadata: { resourceVersion: string } }>(
    '/apis/rbac.authorization.k8s.io/v1/clusterroles?limit=1',
  );
  return list.metadata.resourceVersion;
}

function curlVersions(): readonly HttpVersion[] {
  try {
    const features = execFileSync('curl', ['--version'], { encoding: 'utf8', timeout: 10_000 });
    return /\bHTTP2\b/.test(features) ? HTTP_VERSIONS : ['1.1'];
  } catch {
    return []; // there is none
  }
}
