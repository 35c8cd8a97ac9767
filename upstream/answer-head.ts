import { redirectTrouble } from '../tunnel/redirect.ts';
import { crossing, headerTrouble } from '../tunnel/request-headers.ts';
import { requestInfo } from '../tunnel/request-info.ts';
import type { RawHeaders, RequestHead, ResponseHead } from '../tunnel/wire/head.ts';
import { upgradeProtocol } from './upgrade-protocol.ts';

const SWITCHING_PROTOCOLS = 101;

/** Whether the answer turns the exchange into raw bytes both ways. */
export function isSwitch({ status }: Pick<ResponseHead, 'status'>): boolean {
  return status === SWITCHING_PROTOCOLS;
}

/** Whether another server than the API server gives the answer: behind …/proxy/… a 401 may be about the user. */
export function isBackendAsked({ method, path }: Pick<RequestHead, 'method' | 'path'>): boolean {
  const { verb, subresource } = requestInfo(method, path);
  return verb === 'proxy' || subresource === 'proxy';
}

/** What the gateway is told of the API server's answer, or the sentence that says why it may not pass. */
export function answerHead(request: RequestHead, answer: ResponseHead): ResponseHead | string {
  const { status, headers } = answer;
  if (status > 599) return `the API server answered with status ${status}`;
  const trouble = headerTrouble(headers)?.message;
  if (trouble !== undefined) return trouble;
  const away = redirectTrouble(request, answer);
  if (away !== undefined) return `the API server answered ${away}`;
  return isSwitch(answer) ? switchHead(request, headers) : { status, headers: crossing(headers) };
}

/** The protocol crosses the tunnel in one line of its own: as a hop-by-hop field it would not. */
function switchHead(request: RequestHead, headers: RawHeaders): ResponseHead | string {
  const asked = upgradeProtocol(request.headers) ?? 'none';
  const given = upgradeProtocol(headers) ?? 'none';
  if (given === 'none' || given.toLowerCase() !== asked.toLowerCase()) {
    return `the API server was asked for protocol ${asked} and switched to ${JSON.stringify(given)}`;
  }
  return { status: SWITCHING_PROTOCOLS, headers: [...crossing(headers), 'Upgrade', given] };
}
