import { ErrorCode } from '../tunnel/wire/codes.ts';

/** What an upstream error means on the wire, and to people. */
export interface UpstreamTrouble {
  readonly code: ErrorCode;
  readonly detail: string;
  /** Nothing was sent: the request was certainly not executed. */
  readonly isUnsent: boolean;
}

export interface TroubleFacts {
  readonly error: Error;
  /** Whether the request may have left us. */
  readonly isSent: boolean;
  readonly url: string;
}

/** undici and Node refuse to send what policy.ts should not have let through. */
const OUR_BUGS: ReadonlySet<string> = new Set([
  'ERR_INVALID_CHAR',
  'ERR_INVALID_HTTP_TOKEN',
  'ERR_UNESCAPED_CHARACTERS',
  'UND_ERR_INVALID_ARG',
  'UND_ERR_NOT_SUPPORTED',
]);

/** What to tell about an exchange that failed at the API server. */
export function upstreamTrouble({ error, isSent, url }: TroubleFacts): UpstreamTrouble {
  const code = codeOf(error);
  if (!isSent && OUR_BUGS.has(code)) {
    return {
      code: ErrorCode.Internal,
      detail: `the agent could not make the request: ${error.message}`,
      isUnsent: true,
    };
  }
  if (!isSent) {
    return { code: ErrorCode.UpstreamUnreachable, detail: `${url}: ${connectSentence(code, error)}`, isUnsent: true };
  }
  const sent = (wire: ErrorCode, detail: string) => ({ code: wire, detail, isUnsent: false });
  switch (code) {
    case 'UND_ERR_HEADERS_TIMEOUT':
      return sent(ErrorCode.UpstreamTimeout, `${url} sent no response head in time`);
    case 'UND_ERR_HEADERS_OVERFLOW':
    case 'HPE_HEADER_OVERFLOW':
      return sent(ErrorCode.UpstreamProtocol, `${url} sent a response head of more than 64 KiB`);
    case 'UND_ERR_RES_CONTENT_LENGTH_MISMATCH':
      return sent(ErrorCode.UpstreamProtocol, `${url} sent another length than its Content-Length says`);
    case 'UND_ERR_REQ_CONTENT_LENGTH_MISMATCH':
      return sent(ErrorCode.Cancel, 'the request body is not as long as its Content-Length says');
    default:
      // undici gives its parser's errors no code on this path; Node's have one.
      if (error.name === 'HTTPParserError' || code.startsWith('HPE_'))
        return sent(ErrorCode.UpstreamProtocol, `${url} broke HTTP/1.1: ${error.message}`);
      return sent(ErrorCode.UpstreamReset, `${url} broke the connection: ${error.message}`);
  }
}

/** Why a connection could not be made, and what to look at. */
export function connectSentence(code: string, error: Error): string {
  switch (code) {
    case 'ECONNREFUSED':
      return 'connection refused: is the server running, and is this its address?';
    case 'ENOTFOUND':
    case 'EAI_AGAIN':
      return 'the host name cannot be resolved: check the name and DNS';
    case 'ETIMEDOUT':
    case 'UND_ERR_CONNECT_TIMEOUT':
      return 'no connection in time: check routes and network policies';
    case 'EHOSTUNREACH':
    case 'ENETUNREACH':
      return 'there is no route to the host: check routes and network policies';
    case 'ERR_TLS_CERT_ALTNAME_INVALID':
      return `its certificate is for other names: ${error.message}`;
    case 'SELF_SIGNED_CERT_IN_CHAIN':
    case 'DEPTH_ZERO_SELF_SIGNED_CERT':
    case 'UNABLE_TO_VERIFY_LEAF_SIGNATURE':
    case 'UNABLE_TO_GET_ISSUER_CERT':
    case 'UNABLE_TO_GET_ISSUER_CERT_LOCALLY':
    case 'CERT_SIGNATURE_FAILURE':
      return `its certificate was not signed by the expected CA (${code})`;
    case 'CERT_HAS_EXPIRED':
      return 'its certificate has expired';
    default:
      return error.message;
  }
}

/** The error's code, of the first inner error when several addresses were tried. */
export function codeOf(error: Error): string {
  const inner: unknown = error instanceof AggregateError ? error.errors[0] : error;
  const code = inner instanceof Error ? (inner as NodeJS.ErrnoException).code : undefined;
  return code ?? '';
}
