import { WebSocket } from 'ws';
import { MAX_MESSAGE_BYTES } from '../wire/limits.ts';
import type { Transport, TransportEvents } from './transport.ts';

/** What both ends tell ws: binary only, no compression of its own, bounded messages. */
export const WEBSOCKET_OPTIONS = {
  perMessageDeflate: false,
  maxPayload: MAX_MESSAGE_BYTES,
  skipUTF8Validation: true,
} as const;

/** A closing handshake that takes longer is cut. */
const CLOSE_TIMEOUT_MS = 2_000;
/** RFC 6455 §7.4.1. */
const CLOSE_NORMAL = 1000;
const CLOSE_UNSUPPORTED_DATA = 1003;

/** An open ws WebSocket as a Transport. `isMasked` is what a client needs unless its peer was verified. */
export function websocketTransport(socket: WebSocket): Transport {
  let reason = '';
  return {
    send(message, written) {
      if (socket.readyState !== WebSocket.OPEN) return;
      socket.send(message, { binary: true, compress: false }, (error) => {
        if (error === undefined || error === null) written();
      });
    },
    listen(events: TransportEvents) {
      socket.binaryType = 'nodebuffer';
      socket.on('message', (data, isBinary) => {
        if (isBinary) return events.onMessage(data as Buffer);
        reason = 'the peer sent a text message';
        socket.close(CLOSE_UNSUPPORTED_DATA, reason);
      });
      socket.on('error', (error) => {
        reason = error.message;
      });
      socket.once('close', (code, text) => {
        const said = text.toString('utf8');
        events.onClose(said || reason || `the connection closed (${code})`);
      });
    },
    close(why) {
      socket.close(CLOSE_NORMAL, cutTo(why, 123));
      setTimeout(() => socket.terminate(), CLOSE_TIMEOUT_MS).unref();
    },
    destroy() {
      socket.terminate();
    },
  };
}

/** A close reason holds at most 123 bytes (RFC 6455 §5.5.1). */
function cutTo(text: string, bytes: number): string {
  const target = new Uint8Array(bytes);
  const { written } = new TextEncoder().encodeInto(text, target);
  return new TextDecoder().decode(target.subarray(0, written));
}
