import { readFileSync } from 'node:fs';

/** One end of a TCP connection. */
export interface TcpSocket {
  readonly localPort: number;
  readonly remotePort: number;
  /** Written and not yet acknowledged, in bytes. */
  readonly sendBytes: number;
  /** Arrived and not yet read, in bytes. */
  readonly receiveBytes: number;
}

/** IPv4 sockets of this machine, from the text of /proc/net/tcp (Linux, Documentation/networking/proc_net_tcp.rst). */
export function parseTcpSockets(text: string): TcpSocket[] {
  return text
    .split('\n')
    .slice(1)
    .flatMap((line) => {
      const [, local, remote, , queues] = line.trim().split(/\s+/);
      if (local === undefined || remote === undefined || queues === undefined) return [];
      const [sendBytes = 0, receiveBytes = 0] = queues.split(':').map((part) => Number.parseInt(part, 16));
      return [{ localPort: portOf(local), remotePort: portOf(remote), sendBytes, receiveBytes }];
    });
}

/** Bytes that the system holds of all connections to a port of this machine, both ways. 0 where there is no /proc. */
export function kernelBytes(port: number): number {
  let text: string;
  try {
    text = readFileSync('/proc/net/tcp', 'utf8');
  } catch {
    return 0; // not Linux
  }
  return parseTcpSockets(text)
    .filter(({ localPort, remotePort }) => localPort === port || remotePort === port)
    .reduce((sum, { sendBytes, receiveBytes }) => sum + sendBytes + receiveBytes, 0);
}

function portOf(address: string): number {
  return Number.parseInt(address.slice(address.indexOf(':') + 1), 16);
}
