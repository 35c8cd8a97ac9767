import type { Duplex } from 'node:stream';
import { WebSocket } from 'ws';
import { ErrorCode } from '../wire/codes.ts';
import { MAX_MESSAGE_BYTES } from '../wire/limits.ts';
import type { Transport, TransportEvents } from './transport.ts';

/** A closing handshake that takes longer is cut. */
const CLOSE_TIMEOUT_MS = 2_000;

/** What both ends tell ws: binary only, no compression of its own, bounded messages. */
export const WEBSOCKET_OPTIONS = {
  perMessageDeflate: false,
  maxPayload: MAX_MESSAGE_BYTES,
  skipUTF8Validation: true,
  closeTimeout: CLOSE_TIMEOUT_MS,
} as const;

/** RFC 6455 §7.4.1. */
const CLOSE_NORMAL = 1000;

/** An open ws WebSocket, made with WEBSOCKET_OPTIONS, as a Transport. `isMasked` is what a client needs unless its peer was verified. */
export function websocketTransport(socket: WebSocket): Transport {
  let reason = '';
  let code: ErrorCode = ErrorCode.None;
  return {
    send(message, written) {
      if (socket.readyState !== WebSocket.OPEN) return;
      socket.send(message, { binary: true, compress: false }, (error) => {
        if (error === undefined || error === null) written();
      });
    },
    listen(events: TransportEvents) {
      socket.binaryType = 'nodebuffer';
      let isOver = false;
      const over = (why: string) => {
        if (!isOver) events.onClose(why, code);
        isOver = true;
      };
      connectionOf(socket)?.on('data', () => events.onBytes());
      socket.on('message', (data, isBinary) => {
        if (isOver) return;
        if (isBinary) events.onMessage(data as Buffer);
        else events.onViolation('the peer sent a text message');
      });
      socket.on('error', (error) => {
        reason = error.message;
        if (isViolation(error)) code = ErrorCode.Protocol;
      });
      socket.once('close', (status, text) =>
        over(text.toString('utf8') || reason || `the connection closed (${status})`),
      );
    },
    close(why) {
      socket.close(CLOSE_NORMAL, cutTo(why, 123));
    },
    destroy() {
      socket.terminate();
    },
  };
}

/** ws tells of whole messages only. On a slow line one of them takes longer than a peer may be silent. */
function connectionOf(socket: WebSocket): Duplex | undefined {
  return (socket as unknown as { readonly _socket?: Duplex })._socket;
}

/** ws names what the peer did wrong: WS_ERR_INVALID_OPCODE, WS_ERR_UNSUPPORTED_MESSAGE_LENGTH… */
function isViolation(error: Error): boolean {
  return 'code' in error && typeof error.code === 'string' && error.code.startsWith('WS_ERR_');
}

/** A close reason holds at most 123 bytes (RFC 6455 §5.5.1). */
function cutTo(text: string, bytes: number): string {
  const target = new Uint8Array(bytes);
  const { written } = new TextEncoder().encodeInto(text, target);
  return new TextDecoder().decode(target.subarray(0, written));
}
