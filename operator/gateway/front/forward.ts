import type { Duplex } from 'node:stream';
import { traced } from '../../../process/trace.ts';
import { crossing } from '../../../tunnel/request-headers.ts';
import type { RawHeaders } from '../../../tunnel/wire/head.ts';
import { Exchange } from '../sessions/exchange.ts';
import { Upgrade } from '../sessions/upgrade.ts';
import type { ClientRequest, ClientResponse } from './answer.ts';
import { Passage } from './passage.ts';
import type { Entered, PassageParts } from './passage-parts.ts';

export interface ForwarderOptions extends PassageParts {
  readonly random: () => number;
}

/** admit → forward → audit: from who may to what became of it. */
export class Forwarder {
  readonly #options: ForwarderOptions;

  constructor(options: ForwarderOptions) {
    this.#options = options;
  }

  /** One client request and its answer. */
  request(request: ClientRequest, response: ClientResponse, entered: Entered): void {
    const { method, trace, allowed, onError } = entered;
    const { clock, random } = this.#options;
    const hasBody = expectsBody(request);
    const isWatch = allowed.route.info.verb === 'watch';
    const sending = { headers: traced(crossing(request.rawHeaders), trace), isEnd: !hasBody, isUpgrade: false };
    const told = { request, response, method, trace, isWatch, hasBody, clock, random, onError };
    new Passage(this.#options, entered, sending, (serving) => new Exchange({ ...told, ...serving })).begin();
  }

  /** One client connection that wants to switch to `protocol`. */
  upgrade(socket: Duplex, protocol: string, rawHeaders: RawHeaders, entered: Entered): void {
    const { method, trace, onError } = entered;
    const { clock } = this.#options;
    // `crossing` keeps no Upgrade field: this is the only one, in our own words.
    const headers = [...traced(crossing(rawHeaders), trace), 'Upgrade', protocol];
    const sending = { headers, isEnd: false, isUpgrade: true };
    const told = { socket, method, protocol, trace, clock, onError };
    new Passage(this.#options, entered, sending, ({ sent, onDone }) => new Upgrade({ ...told, sent, onDone })).begin();
  }
}

/** Whether a body follows the head. */
function expectsBody(request: ClientRequest): boolean {
  if ('stream' in request && request.httpVersionMajor === 2) return !request.stream.endAfterHeaders;
  const length = request.headers['content-length'];
  return request.headers['transfer-encoding'] !== undefined || (length !== undefined && length !== '0');
}
