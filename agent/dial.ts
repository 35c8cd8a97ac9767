import type { ClientRequest, IncomingMessage } from 'node:http';
import type { TLSSocket } from 'node:tls';
import { WebSocket } from 'ws';
import type { Clock } from '../process/clock.ts';
import { VERSION } from '../process/version.ts';
import { CONNECT_PATH, SUBPROTOCOL } from '../tunnel/session/settings.ts';
import { WEBSOCKET_OPTIONS } from '../tunnel/session/websocket.ts';
import type { GatewayCredentials } from './credentials.ts';
import { codeOf, connectSentence } from './upstream-trouble.ts';

/** TCP, TLS and the upgrade together. */
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
  readonly credentials: GatewayCredentials;
  readonly clock: Clock;
}

/**
 * An open WebSocket to the gateway. Only `credentials.ca` may vouch for it; the token is sent after TLS did so, not before.
 * @throws DialError naming the hop and what to look at; the signal's reason when aborted.
 */
export function connectGateway({ gatewayUrl, credentials, clock }: ConnectOptions, signal: AbortSignal) {
  return new Promise<WebSocket>((resolve, reject) => {
    signal.throwIfAborted();
    const socket = new WebSocket(connectUrl(gatewayUrl), [SUBPROTOCOL], {
      ...WEBSOCKET_OPTIONS,
      ca: credentials.ca,
      rejectUnauthorized: true,
      followRedirects: false,
      headers: { 'User-Agent': `clustertunnel-agent/${VERSION}` },
      // Masking keeps proxies from being confused by our bytes; nobody stands between us and a peer that the CA verified.
      generateMask: (mask) => mask.fill(0),
      finishRequest: (request) => sendWhenVerified(request, credentials.token),
    });
    const fail = (error: unknown) => {
      settle();
      socket.terminate();
      reject(error);
    };
    const onAbort = () => fail(signal.reason);
    const cancelTimeout = clock.after(CONNECT_TIMEOUT_MS, () =>
      fail(new DialError(`gateway ${gatewayUrl}: no answer within ${CONNECT_TIMEOUT_MS} ms`, false)),
    );
    const settle = () => {
      cancelTimeout();
      signal.removeEventListener('abort', onAbort);
    };
    signal.addEventListener('abort', onAbort, { once: true });
    // Stays: an error after the settlement is the transport's to report, and must not be unhandled before.
    socket.on('error', (error) => fail(unreachable(gatewayUrl, error)));
    socket.once('unexpected-response', (_request, response) => {
      readRefusal(response).then((text) => fail(refused(gatewayUrl, response, text)), fail);
    });
    socket.once('open', () => {
      settle();
      resolve(socket);
    });
  });
}

/** Holds the request back until TLS has verified the gateway; only then does it carry the token. */
function sendWhenVerified(request: ClientRequest, token: string): void {
  request.once('socket', (socket) => {
    const tlsSocket = socket as TLSSocket;
    tlsSocket.once('secureConnect', () => {
      if (!tlsSocket.authorized) {
        request.destroy(tlsSocket.authorizationError);
        return;
      }
      request.setHeader('Authorization', `Bearer ${token}`);
      request.end();
    });
  });
}

/** https://host:port → wss://host:port/agent/v1/connect. */
function connectUrl(gatewayUrl: string): string {
  return `${gatewayUrl.replace(/^https:/, 'wss:').replace(/\/+$/, '')}${CONNECT_PATH}`;
}

function unreachable(gatewayUrl: string, error: Error): DialError {
  const sentence = connectSentence(codeOf(error), error);
  return new DialError(`gateway ${gatewayUrl}: ${sentence}`, false, { cause: error });
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
