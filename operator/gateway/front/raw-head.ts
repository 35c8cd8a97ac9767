import { STATUS_CODES } from 'node:http';
import type { RawHeaders } from '../../../tunnel/wire/head.ts';

/** A response head of HTTP/1.1 as bytes, for connections that Node's server has let go of. The headers have passed `crossing`. */
export function rawHead(status: number, headers: RawHeaders): Buffer {
  const lines = [`HTTP/1.1 ${status} ${STATUS_CODES[status] ?? 'Unknown'}`];
  for (let at = 0; at < headers.length; at += 2) lines.push(`${headers[at]}: ${headers[at + 1]}`);
  return Buffer.from(`${lines.join('\r\n')}\r\n\r\n`, 'latin1');
}
