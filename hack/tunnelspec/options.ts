import { readFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import type { Listening } from './agent/raw-gateway.ts';
import type { GatewayTarget } from './gateway/lab.ts';

const USAGE = `npm run tunnelspec                        starts a gateway and agents from this source, asks every rule of tunnel/PROTOCOL.md
npm run tunnelspec -- --url https://…     asks a live gateway:  --tunnel NAME --agent-token FILE --ca FILE [--user-token FILE]
npm run tunnelspec -- --listen HOST:PORT  asks a live agent that dials here:  --cert FILE --key FILE
  --rule 4 | 4.7     only this section or rule
  --json             one line at the end: {passed, failed, skipped, cases}
Tokens and certificates are files. Without --user-token (a bearer token of a user who may use the tunnel) what needs requests is skipped.`;

/** What to ask, and whom. */
export interface Options {
  /** A live gateway; undefined: none was named. */
  readonly gateway: GatewayTarget | undefined;
  /** Where a live agent dials; undefined: none was named. */
  readonly listen: Listening | undefined;
  /** Of rules: "4" or "4.7". */
  readonly only: string | undefined;
  readonly isJson: boolean;
}

/** A sentence for whoever started the program. */
export class UsageError extends Error {
  override readonly name = 'UsageError';
}

/** @throws UsageError naming the option and what it needs. */
export function readOptions(args: readonly string[]): Options {
  const { values } = parsed(args);
  const { url, listen, rule: only, json } = values;
  if (url !== undefined && listen !== undefined)
    throw new UsageError('--url and --listen are two runs: give one of them');
  return {
    gateway: url === undefined ? undefined : gatewayTarget(url, values),
    listen: listen === undefined ? undefined : listening(listen, values),
    only,
    isJson: json,
  };
}

function parsed(args: readonly string[]) {
  const text = { type: 'string' } as const;
  try {
    return parseArgs({
      args: [...args],
      options: {
        ...{ url: text, tunnel: text, ca: text, 'agent-token': text, 'user-token': text },
        ...{ listen: text, cert: text, key: text, rule: text },
        json: { type: 'boolean', default: false },
      },
    });
  } catch (error) {
    throw new UsageError(`${error instanceof Error ? error.message : String(error)}\n\n${USAGE}`);
  }
}

type Values = Readonly<Record<string, string | boolean | undefined>>;

function gatewayTarget(url: string, values: Values): GatewayTarget {
  if (!url.startsWith('https://') || !URL.canParse(url)) {
    throw new UsageError(`--url must be https://host[:port] of the gateway, not ${JSON.stringify(url)}`);
  }
  return {
    url: url.replace(/\/+$/, ''),
    ca: fileOf(values, 'ca'),
    tunnel: textOf(values, 'tunnel'),
    agentToken: fileOf(values, 'agent-token').trim(),
    userToken: values['user-token'] === undefined ? undefined : fileOf(values, 'user-token').trim(),
    speed: 1,
  };
}

function listening(text: string, values: Values): Listening {
  const [, host, port] = /^(.+):(\d{1,5})$/.exec(text) ?? [];
  if (host === undefined) throw new UsageError(`--listen must be host:port, not ${JSON.stringify(text)}`);
  return { host, port: Number(port), cert: fileOf(values, 'cert'), key: fileOf(values, 'key') };
}

function textOf(values: Values, name: string): string {
  const value = values[name];
  if (typeof value !== 'string') throw new UsageError(`--${name} is missing\n\n${USAGE}`);
  return value;
}

function fileOf(values: Values, name: string): string {
  const path = textOf(values, name);
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    throw new UsageError(`--${name} ${path} cannot be read: ${error instanceof Error ? error.message : String(error)}`);
  }
}
