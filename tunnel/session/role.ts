import type { Budget } from '../flow/budget.ts';
import type { Timer } from '../flow/timer.ts';
import type { Goaway } from '../wire/documents.ts';
import type { Frame } from '../wire/frame.ts';
import type { SessionSettings } from './settings.ts';
import type { Slabs } from './slabs.ts';
import type { Stream } from './stream.ts';
import type { Transport } from './transport.ts';

/** What is particular to one end. */
export interface SessionRole {
  /** Handles a frame that only this end may receive. @throws ProtocolError for any other. */
  receive(frame: Frame): void;
  /** The peer leaves. */
  leaving(goaway: Goaway): void;
  /** A stream is gone. */
  forgotten(stream: Stream): void;
  /** Once, last; every stream has failed before. */
  ended(end: SessionEnd): void;
}

export interface SessionOptions {
  readonly transport: Transport;
  readonly clock: Timer;
  /** Of the process: shared by all its sessions. */
  readonly budget: Budget;
  readonly settings: SessionSettings;
  readonly random: () => number;
  /** Memory for what is sent; the process's own unless told. */
  readonly slabs?: Slabs;
}

/** Why a session ended. */
export interface SessionEnd {
  readonly code: number;
  readonly reason: string;
}

/** Counters for tests and people. */
export interface SessionCounts {
  readonly streams: number;
  readonly queuedBytes: number;
  readonly bufferedBytes: number;
  readonly controlFrames: number;
}
