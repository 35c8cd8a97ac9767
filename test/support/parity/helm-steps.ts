import { fileURLToPath } from 'node:url';
import { type Command, failing } from './command.ts';

const CHART = fileURLToPath(new URL('chart', import.meta.url));

export const HELM_NAMESPACE = 'helm';

const helm = (...args: string[]): Command => ({ args: [`--namespace=${HELM_NAMESPACE}`, ...args] });

/** A release from its first day to its last. */
export const RELEASING: readonly Command[] = [
  helm('version'),
  helm('install', 'page', CHART, '--dry-run=server'),
  helm('install', 'page', CHART, '--wait', '--timeout=90s'),
  failing(helm('install', 'page', CHART)),
  helm('list', '--all-namespaces'),
  helm('status', 'page'),
  helm('get', 'manifest', 'page'),
  helm('get', 'hooks', 'page'),
  helm('upgrade', 'page', CHART, '--install', '--wait', '--timeout=90s', '--set=color=blue'),
  helm('get', 'values', 'page', '--all'),
  failing(helm('upgrade', 'page', CHART, '--set=replicas=-1')),
  failing(helm('upgrade', 'page', CHART, '--wait', '--timeout=5s', '--set=image=missing:v1')),
  helm('history', 'page'),
  helm('rollback', 'page', '1', '--wait', '--timeout=90s'),
  helm('test', 'page', '--logs'),
  helm('history', 'page', '--output=yaml'),
  helm('uninstall', 'page', '--wait', '--timeout=90s'),
  failing(helm('status', 'page')),
  helm('list', '--all'),
];
