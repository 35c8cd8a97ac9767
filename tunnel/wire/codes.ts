/** Frame types. 0x80 and above may be skipped by a peer that does not know them; below, unknown is an error. */
export const FrameType = {
  /** Body bytes of one stream, either way; raw bytes after a 101. */
  Data: 0x00,
  /** Trailer fields; ends the sender's half. */
  Trailers: 0x01,
  /** Starts a stream: request head, identity, deadline. Gateway to agent only. */
  Open: 0x02,
  /** Response head, also 1xx. Agent to gateway only. */
  Head: 0x03,
  /** Ends both halves of one stream with an error code. */
  Reset: 0x04,
  /** This OPEN was certainly not executed. Agent to gateway only. */
  Refused: 0x05,
  /** Credit for one stream, in bytes. */
  Window: 0x06,
  /** Newly free worker slots. Agent to gateway only. */
  Slots: 0x07,
  Ping: 0x08,
  Pong: 0x09,
  /** Versions and features the agent offers. First frame of a session. */
  Hello: 0x0a,
  /** Version and features the gateway chose. First answer. */
  Welcome: 0x0b,
  /** What the agent knows about its upstream and itself. */
  Health: 0x0c,
  /** Limits and timeouts of the tunnel, with a generation. Gateway to agent only. */
  Config: 0x0d,
  /** No new streams; the last stream seen. */
  Goaway: 0x0e,
} as const;
export type FrameType = (typeof FrameType)[keyof typeof FrameType];

/** Types with this bit are skipped when unknown. */
export const IGNORABLE_TYPE_BIT = 0x80;

/** Frame flags. A flag that its type does not know is an error. */
export const Flag = {
  /** DATA, OPEN, HEAD: the sender's half ends with this frame. */
  End: 0x01,
  /** OPEN: watch, log -f, exec…: its own worker pool, no deadline. */
  LongRunning: 0x02,
  /** OPEN: the request asks for an upgrade; after HEAD 101 the bodies are raw bytes. */
  Upgrade: 0x04,
  /** HEAD: the DATA that follow are one raw DEFLATE stream of the body. Only with the feature `deflate`. */
  Deflated: 0x08,
} as const;

/** Why a stream or a session ended. Numbers are the wire's; names go into logs and metrics. */
export const ErrorCode = {
  None: 0,
  /** The peer broke a rule of the protocol. */
  Protocol: 1,
  /** A bug on the sender's side. */
  Internal: 2,
  /** More DATA than credit, or credit beyond 2^31-1. */
  FlowControl: 3,
  /** A frame longer than its type allows. */
  FrameSize: 4,
  /** The other end of the exchange went away: client disconnected, request cancelled. */
  Cancel: 5,
  /** No version or required feature in common. */
  Version: 6,
  /** Too many frames that make the receiver work. */
  Abuse: 7,
  /** No worker slot, no buffer reserve or too many streams. */
  Overload: 8,
  /** The sender is leaving. */
  Draining: 9,
  /** The deadline of the request passed. */
  Deadline: 10,
  /** An ordinary response made no progress for timeouts.backpressure. */
  Backpressure: 11,
  /** The agent may not send this request: incomplete or reserved identity. */
  PolicyDenied: 12,
  /** The upstream could not be reached: nothing was sent to it. */
  UpstreamUnreachable: 13,
  /** The upstream closed or broke the connection after the request was sent. */
  UpstreamReset: 14,
  /** The upstream did not send response headers in time. */
  UpstreamTimeout: 15,
  /** The upstream answered something no API server answers (redirect, malformed). */
  UpstreamProtocol: 16,
  /** The session ended under the stream. Never on the wire. */
  SessionLost: 17,
  /** No byte from the peer for three intervals, or a write that did not move. */
  Silent: 18,
  /** HELLO or WELCOME did not come in time. */
  HandshakeTimeout: 19,
  /** The tunnel was deleted or suspended, or the credential revoked. */
  Revoked: 20,
  /** A newer session of the same agent instance took over. */
  Replaced: 21,
} as const;
export type ErrorCode = (typeof ErrorCode)[keyof typeof ErrorCode];

const NAMES = new Map<number, string>(
  Object.entries(ErrorCode).map(([name, code]) => [code, name.replace(/(?<!^)[A-Z]/g, '_$&').toUpperCase()]),
);

/** Whether a number is one of ours, not one of a newer peer's or a strange one's. */
export function isKnownCode(code: number): code is ErrorCode {
  return NAMES.has(code);
}

/** UPSTREAM_RESET for 14, CODE_99 for a number of a newer peer. */
export function nameOf(code: number): string {
  return NAMES.get(code) ?? `CODE_${code}`;
}
