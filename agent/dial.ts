import type { ClientRequest, IncomingMessage } from 'node:http';
import { checkServerIdentity, type PeerCertificate, type TLSSocket } from 'node:tls';
import { type ClientOptions, WebSocket } from 'ws';
import type { Clock } from '../process/clock.ts';
import { VERSION } from '../process/version.ts';
import { CONNECT_PATH, SUBPROTOCOL } from '../tunnel/session/settings.ts';
import { WEBSOCKET_OPTIONS } from '../tunnel/session/websocket.ts';
import { codeOf, connectSentence } from '../upstream/upstream-trouble.ts';
import type { GatewayCredentials } from './credentials.ts';
import { ProxyHop } from './proxy-hop.ts';

/** TCP, the proxy's CONNECT, TLS and the upgrade together. */
const CONNECT_TIMEOUT_MS = 15_000;
/** Of a gateway's refusal, in bytes: enough for a Status. */
const MAX_REFUSAL_BYTES = 4 * 1024;
/** What a gateway answers to an agent that it will not take before somebody does something. */
const REJECTIONS: ReadonlySet<number> = new Set([401, 403, 404]);

/** One attempt to reach the gateway failed. */
export class DialError extends Error {
  override readonly name = 'DialError';
  /** The gateway answered, and does not want this agent: dialling again soon changes nothing. */
  readonly isRejection: boolean;

  constructor(message: string, isRejection: boolean, options?: ErrorOptions) {
    super(message, options);
    this.isRejection = isRejection;
  }
}

export interface ConnectOptions {
  /** https://host:port of the gateway. */
  readonly gatewayUrl: string;
  /** http://host:port of the proxy on the way; undefined: none. */
  readonly proxyUrl: string | undefined;
  readonly credentials: GatewayCredentials;
  readonly clock: Clock;
}

/**
 * An open WebSocket to the gateway. Only `credentials.ca` may vouch for it; the token is sent after TLS did so, not before.
 * @throws DialError naming the hop and what to look at; the signal's reason when aborted.
 */
export function connectGateway({ gatewayUrl, proxyUrl, credentials, clock }: ConnectOptions, signal: AbortSignal) {
  return new Promise<WebSocket>((resolve, reject) => {
    signal.throwIfAborted();
    const hop =
      proxyUrl === undefined ? undefined : new ProxyHop(proxyUrl, (sentence) => fail(new DialError(sentence, false)));
    const socket = new WebSocket(connectUrl(gatewayUrl), [SUBPROTOCOL], {
      ...WEBSOCKET_OPTIONS,
      ...(hop === undefined ? {} : { agent: hop.agent }),
      ca: credentials.ca,
      rejectUnauthorized: true,
      ...vouchedFor(new URL(gatewayUrl).hostname),
      followRedirects: false,
      headers: { 'User-Agent': `clustertunnel-agent/${VERSION}` },
      // Masking keeps proxies from being confused by our bytes. None sees them: whoever stands between us and the peer that
      // the CA verified, a CONNECT proxy too, carries TLS.
      generateMask: (mask) => mask.fill(0),
      finishRequest: (request) => sendWhenVerified(request, credentials.token),
    });
    const fail = (error: unknown) => {
      settle();
      socket.terminate();
      hop?.close();
      reject(error);
    };
    const onAbort = () => fail(signal.reason);
    const cancelTimeout = clock.after(CONNECT_TIMEOUT_MS, () => fail(late(gatewayUrl, hop)));
    const settle = () => {
      cancelTimeout();
      signal.removeEventListener('abort', onAbort);
    };
    signal.addEventListener('abort', onAbort, { once: true });
    // Stays: an error after the settlement is the transport's to report, and must not be unhandled before.
    socket.on('error', (error) => fail(unreachable(gatewayUrl, hop, error)));
    socket.once('unexpected-response', (_request, response) => {
      readRefusal(response).then((text) => fail(refused(gatewayUrl, response, text)), fail);
    });
    socket.once('open', () => {
      settle();
      resolve(socket);
    });
  });
}

/**
 * Holds the request back until TLS has verified the gateway; only then does it carry the token. Behind a proxy that may
 * have happened before the request hears of its socket.
 */
function sendWhenVerified(request: ClientRequest, token: string): void {
  const send = () => {
    request.setHeader('Authorization', `Bearer ${token}`);
    request.end();
  };
  request.once('socket', (socket) => {
    const tlsSocket = socket as TLSSocket;
    if (tlsSocket.authorized) return send();
    tlsSocket.once('secureConnect', () => {
      if (tlsSocket.authorized) send();
      else request.destroy(tlsSocket.authorizationError);
    });
  });
}

/** Who the certificate must be for. Behind a proxy Node would take the proxy's name when the gateway's is an address. */
function vouchedFor(hostname: string): Pick<ClientOptions, 'checkServerIdentity'> {
  const host = hostname.replace(/^\[|\]$/g, '');
  const check = (_name: string, certificate: PeerCertificate) => checkServerIdentity(host, certificate);
  // Node wants an error or nothing; ws's types say otherwise.
  return { checkServerIdentity: check as unknown as NonNullable<ClientOptions['checkServerIdentity']> };
}

/** https://host:port → wss://host:port/agent/v1/connect. */
function connectUrl(gatewayUrl: string): string {
  return `${gatewayUrl.replace(/^https:/, 'wss:').replace(/\/+$/, '')}${CONNECT_PATH}`;
}

function unreachable(gatewayUrl: string, hop: ProxyHop | undefined, error: Error): DialError {
  if (hop?.isPassed === false) return new DialError(hop.trouble(error), false, { cause: error });
  const sentence = connectSentence(codeOf(error), error);
  return new DialError(`gateway ${gatewayUrl}: ${sentence}`, false, { cause: error });
}

function late(gatewayUrl: string, hop: ProxyHop | undefined): DialError {
  if (hop?.isPassed === false) return new DialError(hop.late(CONNECT_TIMEOUT_MS), false);
  return new DialError(`gateway ${gatewayUrl}: no answer within ${CONNECT_TIMEOUT_MS} ms`, false);
}

function refused(gatewayUrl: string, { statusCode = 0 }: IncomingMessage, text: string): DialError {
  const said = text === '' ? 'it gave no reason' : text;
  const where = REJECTIONS.has(statusCode) ? ': check the Secret with the agent token' : '';
  return new DialError(`gateway ${gatewayUrl} answered ${statusCode}: ${said}${where}`, REJECTIONS.has(statusCode));
}

/** The message of a Status, or the start of whatever came. */
async function readRefusal(response: IncomingMessage): Promise<string> {
  let text = '';
  response.setEncoding('utf8');
  try {
    for await (const chunk of response) {
      text += String(chunk);
      if (text.length > MAX_REFUSAL_BYTES) break;
    }
  } catch {
    // A refusal that broke off half-way still says what came of it.
  }
  return messageOf(text.slice(0, MAX_REFUSAL_BYTES));
}

function messageOf(text: string): string {
  try {
    const status: unknown = JSON.parse(text);
    const message =
      typeof status === 'object' && status !== null ? (status as { message?: unknown }).message : undefined;
    if (typeof message === 'string') return message.slice(0, 512);
  } catch {
    // Not JSON: shown as it is.
  }
  return text.trim().slice(0, 512);
}
