import { existsSync, mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Component } from '../cluster/component.ts';
import { pause } from '../pause.ts';
import { makeCgroup, removeCgroup } from '../processes/cgroup.ts';
import type { Ledger } from '../processes/ledger.ts';
import type { NodeAddresses } from './addresses.ts';
import { run } from './run.ts';

export interface MachineOptions {
  readonly folder: string;
  /** Of the node's programs: /run/bin inside. */
  readonly binariesFolder: string;
  readonly logPath: string;
  readonly addresses: NodeAddresses;
  readonly cgroup: string;
  readonly ledger: Ledger;
}

const INIT = fileURLToPath(new URL('machine-init.sh', import.meta.url));
const START_TIMEOUT_MS = 10_000;
/** The cable of an earlier machine goes a moment after its last process. */
const CABLE_TIMEOUT_MS = 5_000;
/** Inside: the machine's own folder. */
export const NODE_FOLDER = '/run/node';

/**
 * A machine for one node, made of namespaces: its own processes, mounts (/run, /var/lib, /var/log) and network.
 *
 *   this machine ── host address ═══ cable (veth) ═══ node address ── pods
 *
 * One process holds all of it: kill that, and nothing is left but the control group's folder.
 */
export class Machine {
  readonly #options: MachineOptions;
  readonly #init: Component;

  private constructor(options: MachineOptions) {
    const { folder, binariesFolder, logPath, addresses } = options;
    const isOn = join(folder, 'is-on');
    this.#options = options;
    this.#init = new Component(
      {
        name: 'machine',
        file: 'unshare',
        args: [...NAMESPACES, '/bin/sh', INIT, folder, binariesFolder],
        logPath,
        address: addresses.node,
        stopOrder: 5, // the API server listens on its cable
        stopGraceMs: 0, // it is made to ignore SIGTERM
        startTimeoutMs: START_TIMEOUT_MS,
        isHealthy: () => Promise.resolve(existsSync(isOn)),
      },
      options.ledger,
    );
  }

  static async powerOn(options: MachineOptions): Promise<Machine> {
    rmSync(options.folder, { recursive: true, force: true });
    mkdirSync(options.folder, { recursive: true, mode: 0o700 });
    options.ledger.noteCgroup(options.cgroup);
    makeCgroup(options.cgroup);
    const machine = new Machine(options);
    try {
      await machine.#init.start();
      await machine.#plugIn();
      return machine;
    } catch (error) {
      await machine.powerOff();
      throw error;
    }
  }

  /** How to run a program in the machine. It dies with the process that started it. */
  command(file: string, args: readonly string[]): { readonly file: string; readonly args: string[] } {
    return { file: 'nsenter', args: [...this.#namespaces(), 'setpriv', '--pdeathsig', 'KILL', file, ...args] };
  }

  /** As if somebody pulled the plug: every process ends at once. */
  async powerOff(): Promise<void> {
    await this.#init.kill();
    if (await removeCgroup(this.#options.cgroup)) this.#options.ledger.forgetCgroup(this.#options.cgroup);
  }

  /** Joins the machine's network to this machine's, and tells both where the pods are. */
  async #plugIn(): Promise<void> {
    const { host, node, prefixBits, podRange, link } = this.#options.addresses;
    const ip = (...args: string[]): Promise<string> => run('ip', args);
    const inside = (...args: string[]): Promise<string> => run('nsenter', [this.#network(), 'ip', ...args]);
    await whenFree(() => ip('link', 'add', link, 'type', 'veth', 'peer', 'name', 'eth0', 'netns', String(this.#pid())));
    await ip('address', 'add', `${host}/${prefixBits}`, 'dev', link);
    await ip('link', 'set', link, 'up');
    await inside('address', 'add', `${node}/${prefixBits}`, 'dev', 'eth0');
    await inside('link', 'set', 'eth0', 'up');
    await inside('route', 'add', 'default', 'via', host);
    await ip('route', 'add', podRange, 'via', node);
  }

  #namespaces(): string[] {
    const of = `/proc/${this.#pid()}/ns`;
    return [`--mount=${of}/mnt`, this.#network(), `--pid=${of}/pid_for_children`];
  }

  #network(): string {
    return `--net=/proc/${this.#pid()}/ns/net`;
  }

  #pid(): number {
    const { pid } = this.#init;
    if (pid === undefined) throw new Error('the machine is off');
    return pid;
  }
}

const NAMESPACES = [
  '--net',
  '--mount',
  '--propagation=slave', // mounts made outside appear inside, never the other way round
  '--pid',
  '--fork',
  '--mount-proc',
  '--kill-child=SIGKILL',
];

async function whenFree(add: () => Promise<unknown>): Promise<void> {
  const deadlineMs = Date.now() + CABLE_TIMEOUT_MS;
  for (;;) {
    try {
      await add();
      return;
    } catch (error) {
      if (Date.now() > deadlineMs || !String(error).includes('File exists')) throw error;
      await pause(100);
    }
  }
}
