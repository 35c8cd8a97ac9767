import { readdirSync, readFileSync } from 'node:fs';
import type { Pod } from '../../../hack/lab/api/pod.ts';

/** The processes of a container on a real node, by the numbers they have on this machine: their control group is named after it. */
export function containerPids({ status }: Pod, container: string): number[] {
  const found = status?.containerStatuses?.find(({ name }) => name === container);
  const id = found?.containerID?.replace(/^.*:\/\//, '');
  if (id === undefined || found?.state.running === undefined) return [];
  const pids = readdirSync('/proc').filter((name) => /^\d+$/.test(name));
  return pids.filter((pid) => cgroupOf(pid).includes(id)).map(Number);
}

function cgroupOf(pid: string): string {
  try {
    return readFileSync(`/proc/${pid}/cgroup`, 'utf8');
  } catch {
    return ''; // it ended meanwhile
  }
}
