import { ProtocolError } from '../errors.ts';

/** A JSON object: the payload of HELLO, WELCOME, HEALTH, CONFIG and GOAWAY. Unknown members are ignored. */
export type Document = Readonly<Record<string, unknown>>;

/** Free worker slots, by pool. */
export interface Slots {
  readonly ordinary: number;
  readonly longRunning: number;
}

/** What an agent saw of its session before, which was lost. */
export interface Previous {
  readonly sessionId: string;
  /** The highest stream id that came, served or refused: later ones certainly were not executed. */
  readonly lastStreamId: number;
}

/** What an agent offers. */
export interface Hello {
  /** Protocol versions, best first. */
  readonly versions: readonly number[];
  readonly features: readonly string[];
  /** New for every process: tells a reconnect from a restart. */
  readonly instanceId: string;
  /** Which of the process's connections this is; missing: 0, the first. */
  readonly connection?: number;
  /** Version of the agent program. */
  readonly agentVersion: string;
  readonly slots: Slots;
  /** Of this connection's session before, if it was lost without a GOAWAY. */
  readonly previous?: Previous | undefined;
}

/** What the gateway chose. */
export interface Welcome {
  readonly version: number;
  readonly features: readonly string[];
  readonly sessionId: string;
  readonly replicaId: string;
  readonly gatewayVersion: string;
}

/** Leaving. `lastStreamId`: streams beyond it were certainly not executed. */
export interface Goaway {
  readonly lastStreamId: number;
  readonly code: number;
  readonly reason: string;
}

/** A byte order mark is not JSON (RFC 8259 §8.1). */
const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
const encoder = new TextEncoder();

export function encodeDocument(document: object): Uint8Array {
  return encoder.encode(JSON.stringify(document));
}

/** @throws ProtocolError when the payload is not a JSON object. */
export function decodeDocument(payload: Uint8Array): Document {
  let value: unknown;
  try {
    value = JSON.parse(decoder.decode(payload));
  } catch (error) {
    throw new ProtocolError('payload is not JSON', undefined, { cause: error });
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw new ProtocolError('payload is not a JSON object');
  }
  return value as Document;
}

/** @throws ProtocolError when a member is missing or of the wrong type. */
export function helloOf(document: Document): Hello {
  const slots = objectIn(document, 'slots');
  return {
    versions: numbersIn(document, 'versions'),
    features: textsIn(document, 'features'),
    instanceId: textIn(document, 'instanceId'),
    ...(document['connection'] === undefined ? {} : { connection: countIn(document, 'connection') }),
    agentVersion: textIn(document, 'agentVersion'),
    slots: { ordinary: countIn(slots, 'ordinary'), longRunning: countIn(slots, 'longRunning') },
    ...(document['previous'] === undefined ? {} : { previous: previousOf(objectIn(document, 'previous')) }),
  };
}

/** @throws ProtocolError when a member is missing or of the wrong type. */
export function welcomeOf(document: Document): Welcome {
  return {
    version: countIn(document, 'version'),
    features: textsIn(document, 'features'),
    sessionId: textIn(document, 'sessionId'),
    replicaId: textIn(document, 'replicaId'),
    gatewayVersion: textIn(document, 'gatewayVersion'),
  };
}

/** @throws ProtocolError when a member is missing or of the wrong type. */
export function goawayOf(document: Document): Goaway {
  return {
    lastStreamId: countIn(document, 'lastStreamId'),
    code: countIn(document, 'code'),
    reason: textIn(document, 'reason'),
  };
}

function previousOf(document: Document): Previous {
  return { sessionId: textIn(document, 'sessionId'), lastStreamId: countIn(document, 'lastStreamId') };
}

function wrong(name: string, wanted: string): ProtocolError {
  return new ProtocolError(`member ${name} is not ${wanted}`);
}

function textIn(document: Document, name: string): string {
  const value = document[name];
  if (typeof value !== 'string' || value.length > 256) throw wrong(name, 'a text of at most 256 characters');
  return value;
}

function countIn(document: Document, name: string): number {
  const value = document[name];
  if (typeof value !== 'number' || !Number.isInteger(value) || value < 0 || value > 2 ** 31) {
    throw wrong(name, 'a whole number from 0 to 2^31');
  }
  return value;
}

function objectIn(document: Document, name: string): Document {
  const value = document[name];
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw wrong(name, 'an object');
  return value as Document;
}

function textsIn(document: Document, name: string): string[] {
  const value = document[name];
  if (!Array.isArray(value) || !value.every((each) => typeof each === 'string')) throw wrong(name, 'a list of texts');
  return value;
}

function numbersIn(document: Document, name: string): number[] {
  const value = document[name];
  if (!Array.isArray(value) || !value.every((each) => Number.isInteger(each))) throw wrong(name, 'a list of numbers');
  return value;
}
