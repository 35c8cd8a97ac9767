import { BlockList, isIP } from 'node:net';

/** One entry of a no-proxy list: whether it names this host (a lower-case name or an address) at this port. */
type Rule = (host: string, port: number) => boolean;

/** `rest` or `rest:port`; an address of IPv6 that stands bare has no port. */
const WITH_PORT = /^(?<rest>\[[^\]]*\](?:\/\d+)?|[^:]*)(?::(?<port>\d{1,5}))?$/;
const MAX_PORT = 65_535;
const CIDR = /^(?<network>[^/]+)\/(?<prefix>\d{1,3})$/;
const LONGEST_PREFIX = { ipv4: 32, ipv6: 128 } as const;

/**
 * Whether the list names this host: entries are separated by commas, each a name (with all names below it; a leading dot
 * changes nothing), an address, a CIDR, or * for all, with :port if it is for that port only. Empty entries say nothing.
 * @throws Error naming the entry that is none of these.
 */
export function bypassesProxy(list: string, host: string, port: number): boolean {
  const rules = list
    .split(',')
    .map((entry) => entry.trim().toLowerCase())
    .filter((entry) => entry !== '')
    .map(ruleOf);
  const name = bare(host.toLowerCase()).replace(/\.$/, '');
  return rules.some((rule) => rule(name, port));
}

function ruleOf(entry: string): Rule {
  const { rest, port } = partsOf(entry);
  const names = rest === undefined || (port ?? 0) > MAX_PORT ? undefined : hostRule(bare(rest));
  if (names === undefined) throw new Error(`${JSON.stringify(entry)} is no name, address, CIDR or *`);
  return (host, of) => (port === undefined || port === of) && names(host);
}

function partsOf(entry: string): { readonly rest: string | undefined; readonly port: number | undefined } {
  if (isIP(entry.split('/', 1)[0] ?? '') === 6) return { rest: entry, port: undefined };
  const { rest, port } = WITH_PORT.exec(entry)?.groups ?? {};
  return { rest, port: port === undefined ? undefined : Number(port) };
}

function hostRule(text: string): ((host: string) => boolean) | undefined {
  if (text === '*') return () => true;
  if (text.includes('/')) return networkRule(text);
  if (isIP(text) !== 0) return networkRule(`${text}/${isIP(text) === 4 ? 32 : 128}`);
  const name = text.replace(/^\*?\./, '').replace(/\.$/, '');
  if (!/^[a-z0-9_]([a-z0-9._-]*[a-z0-9_])?$/.test(name)) return undefined;
  return (host) => isIP(host) === 0 && (host === name || host.endsWith(`.${name}`));
}

function networkRule(cidr: string): ((host: string) => boolean) | undefined {
  const { network = '', prefix = '' } = CIDR.exec(cidr)?.groups ?? {};
  const family = familyOf(network);
  if (family === undefined || Number(prefix) > LONGEST_PREFIX[family]) return undefined;
  const list = new BlockList();
  list.addSubnet(network, Number(prefix), family);
  return (host) => {
    const of = familyOf(host);
    return of !== undefined && list.check(host, of);
  };
}

function familyOf(address: string): 'ipv4' | 'ipv6' | undefined {
  const version = isIP(address);
  if (version === 0) return undefined;
  return version === 4 ? 'ipv4' : 'ipv6';
}

/** Without the brackets of an IPv6 address. */
function bare(host: string): string {
  return host.replace(/^\[([^\]]*)\]/, '$1');
}
