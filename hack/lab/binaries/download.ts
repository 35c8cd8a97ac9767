import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  chmodSync,
  createReadStream,
  createWriteStream,
  existsSync,
  mkdirSync,
  renameSync,
  rmSync,
  statSync,
} from 'node:fs';
import type { IncomingMessage } from 'node:http';
import { get } from 'node:https';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { pipeline } from 'node:stream/promises';
import { type Progress, reportIfSlow } from '../progress.ts';
import { CONTROL_PLANE, HELM, type ProgramSet } from './programs.ts';
import { etcdVersion, platform, versionOf } from './versions.ts';

const CONNECT_TIMEOUT_MS = 5_000;
/** No byte for this long: the line is dead, building is faster. */
const STALL_TIMEOUT_MS = 20_000;
const MAX_REDIRECTS = 5;

interface Source {
  readonly name: string;
  readonly url: string;
  /** Text that holds the SHA-256 of the file, alone or as `<sum>  <file name>` among others. */
  readonly sumsUrl: string;
  /** Of an archive: the program in it, below the one folder that it holds. */
  readonly member?: string;
}

/** Why there is nothing to download here; undefined if it is worth a try. */
export function downloadRefusal(environment: NodeJS.ProcessEnv = process.env): string | undefined {
  if (environment['CLUSTERTUNNEL_LAB_DOWNLOAD'] === 'off') return 'CLUSTERTUNNEL_LAB_DOWNLOAD=off';
  if (platform().os !== 'linux') return 'there are no official binaries for this system';
  return undefined;
}

/** Fetches the official programs into `folder`, each checked against its published checksum. Goes on where an earlier try stopped. */
export async function download(
  set: ProgramSet<string>,
  folder: string,
  partial: string,
  progress: Progress,
): Promise<void> {
  mkdirSync(folder, { recursive: true });
  mkdirSync(partial, { recursive: true });
  for (const source of sources(set)) {
    const file = join(partial, source.name);
    await reportIfSlow(
      progress,
      () => `downloading ${source.name}: ${megabytes(file)} MB`,
      fetchVerified(source, file),
    );
    if (source.member !== undefined) {
      execFileSync('tar', ['-xzf', file, '-C', folder, '--strip-components=1', source.member]);
    } else {
      chmodSync(file, 0o755);
      renameSync(file, join(folder, source.name));
    }
  }
}

function sources(set: ProgramSet<string>): Source[] {
  const { os, arch } = platform();
  const version = versionOf(set);
  if (set.key === HELM.key) return [helmSource(version)];
  const fromKubernetes = (name: string): Source => {
    const url = `https://dl.k8s.io/${version}/bin/${os}/${arch}/${name}`;
    return { name, url, sumsUrl: `${url}.sha256` };
  };
  if (set.key !== CONTROL_PLANE.key) return set.programs.map(fromKubernetes);
  const etcd = etcdVersion();
  const release = `https://github.com/etcd-io/etcd/releases/download/${etcd}`;
  const folder = `etcd-${etcd}-${os}-${arch}`;
  const archive = `${folder}.tar.gz`;
  return [
    fromKubernetes('kubectl'), // the smallest first: whether there is a way out is known soon
    { name: archive, url: `${release}/${archive}`, sumsUrl: `${release}/SHA256SUMS`, member: `${folder}/etcd` },
    ...['kube-apiserver', 'kube-controller-manager', 'kube-scheduler'].map(fromKubernetes),
  ];
}

function helmSource(version: string): Source {
  const { os, arch } = platform();
  const name = `helm-${version}-${os}-${arch}.tar.gz`;
  const url = `https://get.helm.sh/${name}`;
  return { name, url, sumsUrl: `${url}.sha256sum`, member: `${os}-${arch}/helm` };
}

async function fetchVerified({ name, url, sumsUrl }: Source, file: string): Promise<void> {
  const sums = await text(await open(sumsUrl, 0));
  const expected = checksumOf(sums, name);
  const haveBytes = existsSync(file) ? statSync(file).size : 0;
  const response = await open(url, haveBytes);
  const isResumed = response.statusCode === 206;
  await pipeline(response, createWriteStream(file, { flags: isResumed ? 'a' : 'w' }));
  const hash = createHash('sha256');
  await pipeline(createReadStream(file), hash);
  const actual = hash.digest('hex');
  if (actual === expected) return;
  rmSync(file);
  throw new Error(`${url} has the checksum ${actual}, published is ${expected}`);
}

/** The sum of `name` in a checksum file: a bare sum, or one line per file. */
export function checksumOf(sums: string, name: string): string {
  const lines = sums
    .trim()
    .split('\n')
    .map((line) => line.trim().split(/\s+/));
  const line = lines.find((fields) => fields[1] === name) ?? (lines.length === 1 ? lines[0] : undefined);
  const sum = line?.[0];
  if (sum === undefined || !/^[0-9a-f]{64}$/.test(sum)) throw new Error(`no checksum is published for ${name}`);
  return sum;
}

/** A GET that follows redirects; asks for the rest of a file when `fromByte` is not 0. */
function open(url: string, fromByte: number, redirects = 0): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    const headers = fromByte > 0 ? { range: `bytes=${fromByte}-` } : {};
    const request = get(url, { headers }, (response) => {
      clearTimeout(connecting);
      const { statusCode = 0 } = response;
      const location = response.headers.location;
      if (statusCode >= 300 && statusCode < 400 && location !== undefined && redirects < MAX_REDIRECTS) {
        response.resume();
        resolve(open(new URL(location, url).href, fromByte, redirects + 1));
      } else if (statusCode === 200 || statusCode === 206) {
        resolve(response);
      } else if (statusCode === 416) {
        response.resume();
        resolve(open(url, 0, redirects)); // complete, or longer than the original: begin again
      } else {
        response.resume();
        reject(new Error(`${url} answered ${statusCode}`));
      }
    });
    const connecting = setTimeout(() => request.destroy(new Error(`${url} did not answer in 5 s`)), CONNECT_TIMEOUT_MS);
    request.setTimeout(STALL_TIMEOUT_MS, () => request.destroy(new Error(`${url} fell silent`)));
    request.once('error', (error) => {
      clearTimeout(connecting);
      reject(error);
    });
  });
}

function megabytes(file: string): number {
  return existsSync(file) ? Math.round(statSync(file).size / 1e6) : 0;
}
