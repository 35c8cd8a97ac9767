import type { Clock } from '../../../process/clock.ts';
import type { Logger } from '../../../process/log.ts';
import { QuietLog } from '../../../process/quiet-log.ts';
import { readOnlyTrouble } from '../../../tunnel/read-only.ts';
import type { Identity } from '../../../tunnel/wire/head.ts';
import type { Tunnels, TunnelView } from '../sessions/tunnels.ts';
import type { Authenticator } from './authenticate.ts';
import { type Authorizer, throughTunnel } from './authorize.ts';
import type { CertificateLogin, CertificateLogins } from './certificate-logins.ts';
import { type HubUser, identityAtTarget } from './identity.ts';
import { cannotImpersonate, impersonated, logged } from './impersonation.ts';
import type { Peer } from './peer.ts';
import { bearerToken, hubVerb, type RequestLine, type Route, routeOf } from './route.ts';
import { noSuchTunnel, refusal, TunnelError } from './tunnel-error.ts';

export interface GateOptions {
  readonly authenticator: Authenticator;
  readonly certificates: CertificateLogins;
  readonly authorizer: Authorizer;
  readonly tunnels: Tunnels;
  /** Of pages that may ask, beside the gateway's own. */
  readonly allowedOrigins: readonly string[];
  readonly clock: Clock;
  readonly log: Logger;
}

/** A request and the connection that it came on. */
export interface Asking extends RequestLine {
  readonly peer: Peer;
}

/** A request that may go on: who asks, what of which tunnel. */
export interface Allowed {
  readonly route: Route;
  readonly user: HubUser;
  /** Who he is at the target; undefined: the tunnel's access mode is Agent. */
  readonly identity: Identity | undefined;
  readonly view: TunnelView;
  /** Asks the same once more: may he still? */
  readonly again: () => Promise<Allowed | TunnelError>;
}

/** parse → authenticate → authorise: the same for whoever comes to the clients' door. */
export class Gate {
  readonly #options: GateOptions;
  readonly #warnings: QuietLog;

  constructor(options: GateOptions) {
    this.#options = options;
    this.#warnings = new QuietLog(options.log, options.clock);
  }

  /** Who asks, and may he? Rejects only over a bug, like all of these. */
  async allow(line: Asking & { readonly isUpgrade: boolean }): Promise<Allowed | TunnelError> {
    const route = routeOf(line, this.#options.allowedOrigins);
    if (route instanceof TunnelError) return route;
    const asked = { tunnel: route.tunnel, path: route.plainPath };
    const user = await this.identify(line, asked);
    if (user instanceof TunnelError) return user;
    const where = { ...asked, user: user.username };
    const verb = hubVerb(route, line.method, line.isUpgrade);
    const isAllowed = await this.isAllowed(user, route.tunnel, verb, where);
    if (isAllowed instanceof TunnelError) return isAllowed;
    if (!isAllowed) return forbidden(user, verb, where);
    const view = this.#options.tunnels.get(route.tunnel);
    if (view === undefined || view.isDeleting) {
      return noSuchTunnel(where);
    }
    const again = () => this.allow(line);
    const { access } = view.settings;
    const trouble = access.readOnly ? readOnlyTrouble({ ...line, path: route.path }) : undefined;
    if (trouble !== undefined) {
      const rule = `tunnel "${route.tunnel}" is read-only (spec.access.readOnly): only get, list and watch pass`;
      return refusal(`${rule}, and of user "${user.username}" ${trouble}`, where);
    }
    if (access.mode === 'Agent') return { route, user, identity: undefined, view, again };
    const mapped = identityAtTarget(user, access);
    if ('refusal' in mapped) return refusal(mapped.refusal, where);
    return { route, user, identity: mapped.identity, view, again };
  }

  /** Who asks, or whom does he ask to act as? */
  async identify(asking: Pick<Asking, 'headers' | 'peer'>, where: Where = {}): Promise<HubUser | TunnelError> {
    const asker = await this.#authenticate(asking, where);
    if (asker instanceof TunnelError) return asker;
    const wanted = impersonated(asking.headers);
    if (wanted === undefined) return asker;
    const known = { ...where, user: asker.username };
    if (typeof wanted === 'string')
      return forbiddenAt(`user "${asker.username}" cannot impersonate so: ${wanted}`, known);
    const { authorizer } = this.#options;
    try {
      const verdicts = await Promise.all(wanted.needs.map((need) => authorizer.isAllowed(asker, need)));
      const missing = wanted.needs.find((_, at) => verdicts[at] !== true);
      if (missing !== undefined)
        return forbiddenAt(cannotImpersonate(asker, missing), known, cannotImpersonate(asker, logged(missing)));
    } catch (error) {
      return this.#unavailable('authorize', error, known);
    }
    return { ...wanted.user, impersonatedBy: asker.username };
  }

  /** A certificate speaks before a token, as at the API server (pkg/kubeapiserver/authenticator, union). */
  async #authenticate(
    { headers, peer }: Pick<Asking, 'headers' | 'peer'>,
    where: Where,
  ): Promise<HubUser | TunnelError> {
    const { certificate, address } = peer;
    const login = certificate === undefined ? undefined : this.#options.certificates.login(certificate);
    if (typeof login === 'object' && 'user' in login) return login.user;
    const token = bearerToken(headers);
    if (token === undefined || token === '') return withoutToken(login, where);
    try {
      const user = await this.#options.authenticator.authenticate(token, address);
      return user ?? new TunnelError('unauthorized', 'Unauthorized: the hub does not know this token', where);
    } catch (error) {
      return this.#unavailable('authenticate', error, where);
    }
  }

  /** May this user do this verb through this tunnel? An empty name is every tunnel. */
  async isAllowed(user: HubUser, tunnel: string, verb: string, where: Where = {}): Promise<boolean | TunnelError> {
    try {
      return await this.#options.authorizer.isAllowed(user, throughTunnel(tunnel, verb));
    } catch (error) {
      return this.#unavailable('authorize', error, where);
    }
  }

  /** The same, asked of the hub now and not kept: many at once would push out what other users ask again and again. */
  async review(user: HubUser, tunnel: string, verb: string): Promise<boolean | TunnelError> {
    try {
      return await this.#options.authorizer.review(user, throughTunnel(tunnel, verb));
    } catch (error) {
      return this.#unavailable('authorize', error, {});
    }
  }

  #unavailable(step: string, cause: unknown, where: Where): TunnelError {
    // Too many ask: that is not the hub's fault.
    if (cause instanceof TunnelError) return new TunnelError(cause.kind, cause.message, where);
    this.#warnings.warn('hub cannot answer', { step, error: cause });
    return new TunnelError('auth_unavailable', `the hub cannot ${step} requests now`, { ...where, cause });
  }
}

/** Neither a certificate of the hub's nor a token. */
function withoutToken(login: CertificateLogin | undefined, where: Where): TunnelError {
  if (login === undefined || login === 'unknown') {
    const unknown = 'the hub has not said which client certificates it trusts: show a bearer token, or come back';
    if (login === 'unknown') return new TunnelError('auth_unavailable', unknown, where);
    const required = 'Unauthorized: a bearer token or a client certificate of the hub is required';
    return new TunnelError('unauthorized', required, where);
  }
  const why = 'trouble' in login ? login.trouble : 'it names nobody';
  return new TunnelError(
    'unauthorized',
    `Unauthorized: there is no bearer token, and of the client certificate: ${why}`,
    where,
  );
}

/** What a request that is refused here asked for. */
interface Where {
  readonly tunnel?: string;
  readonly path?: string;
  readonly user?: string;
}

/** A 403; as text where kubectl shows only that. */
function forbiddenAt(message: string, where: Where, logged = message): TunnelError {
  const { tunnel, path, user } = where;
  if (tunnel === undefined || path === undefined) return new TunnelError('forbidden', message, { ...where, logged });
  return refusal(message, { tunnel, path, user, logged });
}

/** The same words whether the tunnel exists or not. */
function forbidden(user: HubUser, verb: string, where: Required<Where>): TunnelError {
  const resource = 'resource "clustertunnels/proxy" in API group "clustertunnel.io" at the cluster scope';
  const what = `clustertunnels.clustertunnel.io "${where.tunnel}" is forbidden`;
  return refusal(`${what}: User "${user.username}" cannot ${verb} ${resource}`, where);
}
