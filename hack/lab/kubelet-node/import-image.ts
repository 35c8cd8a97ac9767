import { spawn } from 'node:child_process';
import { closeSync, openSync } from 'node:fs';
import { text } from 'node:stream/consumers';
import type { ImageFile } from '../images/images.ts';
import { systemPath } from '../processes/system-path.ts';
import type { Machine } from './machine.ts';

const TIMEOUT_MS = 120_000;

/** Gives an image to the containerd of a machine; through stdin, as the file need not be visible inside. @throws Error with its words */
export async function importImage(machine: Machine, { name, path }: ImageFile): Promise<void> {
  const { file, args } = machine.command('ctr', ['--namespace=k8s.io', 'images', 'import', '-']);
  const archive = openSync(path, 'r');
  const env = { PATH: systemPath() };
  const child = spawn(file, args, { env, stdio: [archive, 'ignore', 'pipe'], timeout: TIMEOUT_MS });
  closeSync(archive);
  const exited = new Promise<number>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (code) => resolve(code ?? 1));
  });
  const [exitCode, stderr] = await Promise.all([exited, child.stderr === null ? '' : text(child.stderr)]);
  if (exitCode !== 0) throw new Error(`The image ${name} could not be imported: ${stderr}`);
}
