import { spawn } from 'node:child_process';
import { request as httpRequest } from 'node:http';
import { request as httpsRequest } from 'node:https';
import { connect } from 'node:net';
import type { Container, ExecAction, HttpGetAction, Probe } from '../api/pod.ts';

/** Where the probed container runs. */
export interface ProbeTarget {
  readonly container: Container;
  readonly podIP: string;
  readonly environment: Readonly<Record<string, string>>;
  readonly folder: string;
}

/** Asks once; the sentence says what was wrong, undefined means success. Never rejects. */
export function check(probe: Probe, target: ProbeTarget): Promise<string | undefined> {
  const timeoutMs = (probe.timeoutSeconds ?? 1) * 1000;
  if (probe.httpGet) return httpGet(probe.httpGet, target, timeoutMs);
  if (probe.tcpSocket) return tcpConnect(probe.tcpSocket, target, timeoutMs);
  if (probe.exec) return execute(probe.exec, target, timeoutMs);
  return Promise.resolve('this kind of probe is not supported by the process node');
}

/** A port by its number, or by the name that the container gives it. */
export function portOf({ ports = [] }: Container, port: number | string): number {
  if (typeof port === 'number') return port;
  return ports.find(({ name }) => name === port)?.containerPort ?? Number(port);
}

function httpGet(action: HttpGetAction, target: ProbeTarget, timeoutMs: number): Promise<string | undefined> {
  const headers = Object.fromEntries((action.httpHeaders ?? []).map(({ name, value }) => [name, value]));
  const options = {
    host: action.host || target.podIP,
    port: portOf(target.container, action.port),
    path: action.path || '/',
    headers: { 'user-agent': 'kube-probe/clustertunnel-lab', connection: 'close', ...headers },
    signal: AbortSignal.timeout(timeoutMs),
    rejectUnauthorized: false, // as the kubelet: a probe knows no certificate authority
    agent: false as const,
  };
  const send = action.scheme === 'HTTPS' ? httpsRequest : httpRequest;
  return new Promise((resolve) => {
    const request = send(options, (response) => {
      response.resume();
      const { statusCode = 0 } = response;
      resolve(statusCode >= 200 && statusCode < 400 ? undefined : `HTTP probe failed with statuscode: ${statusCode}`);
    });
    request.on('error', (error) => resolve(`HTTP probe failed: ${error.message}`));
    request.end();
  });
}

function tcpConnect(
  action: { host?: string; port: number | string },
  target: ProbeTarget,
  timeoutMs: number,
): Promise<string | undefined> {
  return new Promise((resolve) => {
    const socket = connect({ host: action.host || target.podIP, port: portOf(target.container, action.port) });
    const done = (problem?: string): void => {
      socket.destroy();
      resolve(problem);
    };
    socket.setTimeout(timeoutMs, () => done('TCP probe timed out'));
    socket.once('connect', () => done());
    socket.once('error', (error) => done(`TCP probe failed: ${error.message}`));
  });
}

/** Runs a command as the container would: same variables, same folder, but not in its process group. */
export function execute(
  { command = [] }: ExecAction,
  target: ProbeTarget,
  timeoutMs: number,
): Promise<string | undefined> {
  const [file = '', ...args] = command;
  return new Promise((resolve) => {
    const child = spawn(file, args, {
      cwd: target.folder,
      env: target.environment,
      stdio: 'ignore',
      timeout: timeoutMs,
      killSignal: 'SIGKILL',
    });
    child.once('error', (error) => resolve(`command could not be run: ${error.message}`));
    child.once('exit', (code, signal) => resolve(code === 0 ? undefined : `command ended with ${signal ?? code}`));
  });
}
