import type { RawHeaders } from '../tunnel/wire/head.ts';

/** PEM of a certificate and its key. */
export interface ClientCertificate {
  readonly cert: string;
  readonly key: string;
}

/** A request as it goes on the wire: nothing is added but Host, Connection and the framing of the body. */
export interface UpstreamRequest {
  readonly method: string;
  /** Raw path and query. */
  readonly path: string;
  readonly headers: RawHeaders;
  /** undefined: none. */
  readonly body: AsyncIterable<Uint8Array> | undefined;
  /** From the last byte sent to the complete response head. */
  readonly headersTimeoutMs: number;
}

/** A request that asks for an upgrade: its `body` is what goes out as raw bytes once a 101 came, and not before. */
export interface UpgradeRequest extends UpstreamRequest {
  readonly body: AsyncIterable<Uint8Array>;
}

/** Flow of a running response. */
export interface ResponseFlow {
  pause(): void;
  resume(): void;
}

/**
 * What an exchange hears. onEnd or onError is told once; after a 101 either direction can break when the other has ended,
 * so there an error may follow the end. onGone comes last, whatever happened.
 */
export interface UpstreamEvents {
  /** The request is about to be written: from here on it may be executed. */
  onStart(flow: ResponseFlow): void;
  /** The final response head, as it came; 101 only when an upgrade was asked for. */
  onHead(status: number, headers: RawHeaders): void;
  onData(chunk: Uint8Array): void;
  /** The response is complete; after a 101: the API server sends no more. */
  onEnd(trailers: RawHeaders): void;
  onError(error: Error): void;
  /** Nothing of the request is left: its connection is closed, or free for another one. */
  onGone(): void;
}
