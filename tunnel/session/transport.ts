import type { ErrorCode } from '../wire/codes.ts';

/** What a session hears from its connection. */
export interface TransportEvents {
  /** Bytes of the peer came; their message may not be whole yet. */
  onBytes(): void;
  /** One whole binary message. */
  onMessage(message: Uint8Array): void;
  /** The peer sent what is no binary message; the connection can still carry our answer. */
  onViolation(what: string): void;
  /** Once, last. `reason` is for people; `code` says if the peer broke a rule of the connection itself. */
  onClose(reason: string, code?: ErrorCode): void;
}

/** A connection that carries whole binary messages, in order. */
export interface Transport {
  /** Takes the message; `written` is called once the system has taken its bytes (never if the connection fails first). */
  send(message: Uint8Array, written: () => void): void;
  /** Starts delivery. Called once, by the session. */
  listen(events: TransportEvents): void;
  /** Closes politely after what was sent. */
  close(reason: string): void;
  /** Closes at once. */
  destroy(): void;
}
