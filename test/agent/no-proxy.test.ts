import { expect } from 'chai';
import { bypassesProxy } from '../../agent/no-proxy.ts';

/** List, host, port. */
const BYPASSED: Readonly<Record<string, readonly [string, string, number]>> = {
  'a name': ['gw.example.com', 'gw.example.com', 8443],
  'a name, whatever its case': ['GW.Example.com', 'gw.example.COM', 8443],
  'a name with a dot at its end': ['gw.example.com', 'gw.example.com.', 8443],
  'a name below': ['example.com', 'gw.eu.example.com', 8443],
  'a name below one with a leading dot': ['.example.com', 'gw.example.com', 8443],
  'the very name behind a leading dot': ['.example.com', 'example.com', 8443],
  'a name below one with *.': ['*.example.com', 'gw.example.com', 8443],
  'a single label': ['localhost', 'localhost', 8443],
  everything: ['*', 'gw.example.com', 443],
  'everything at a port': ['*:8443', '10.0.0.1', 8443],
  'one entry of several, with spaces and empty ones': [' a.example , ,b.example,', 'b.example', 443],
  'a name at its port': ['gw.example.com:8443', 'gw.example.com', 8443],
  'an address': ['10.1.2.3', '10.1.2.3', 8443],
  'an address at its port': ['10.1.2.3:8443', '10.1.2.3', 8443],
  'an address of a network': ['10.0.0.0/8', '10.255.0.1', 8443],
  'an address of a network at its port': ['10.0.0.0/8:8443', '10.255.0.1', 8443],
  'every IPv4 address': ['0.0.0.0/0', '192.0.2.1', 443],
  'an IPv6 address': ['fd00::1', '[fd00::1]', 8443],
  'an IPv6 address in another spelling': ['FD00:0::0:1', 'fd00::1', 8443],
  'an IPv6 address in brackets': ['[fd00::1]', 'fd00::1', 8443],
  'an IPv6 address at its port': ['[fd00::1]:8443', '[fd00::1]', 8443],
  'an address of an IPv6 network': ['fd00::/8', 'fdff::1', 8443],
  'an address of an IPv6 network at its port': ['[fd00::]/8:8443', 'fdff::1', 8443],
  'an IPv4 address written as IPv6': ['10.0.0.0/8', '::ffff:10.0.0.1', 8443],
};

const PROXIED: Readonly<Record<string, readonly [string, string, number]>> = {
  'an empty list': ['', 'gw.example.com', 8443],
  'another name': ['other.example.com', 'gw.example.com', 8443],
  'a name that only ends the same': ['example.com', 'gw.badexample.com', 8443],
  'a name above': ['gw.example.com', 'example.com', 8443],
  'a name at another port': ['gw.example.com:443', 'gw.example.com', 8443],
  'everything at another port': ['*:443', 'gw.example.com', 8443],
  'another address': ['10.1.2.3', '10.1.2.30', 8443],
  'an address at another port': ['10.1.2.3:443', '10.1.2.3', 8443],
  'an address of another network': ['10.0.0.0/8', '11.0.0.1', 8443],
  'an IPv6 address of another network': ['fd00::/8', 'fe00::1', 8443],
  'an IPv4 address against an IPv6 network': ['fd00::/8', '10.0.0.1', 8443],
  'a name that looks like an address': ['10.0.0.0/8', '10.example.com', 8443],
  'an address whose end is listed as a name would be': ['2.3', '10.1.2.3', 8443],
};

const BROKEN = [
  '10.0.0.0/33',
  'fd00::/129',
  '10.0.0/8',
  '10.0.0.0/8/8',
  'gw.example.com:port',
  'gw:99999',
  'a b',
  'http://gw',
  '[fd00::1',
  '.',
];

describe('agent/no-proxy', () => {
  for (const [name, [list, host, port]] of Object.entries(BYPASSED)) {
    it(`goes directly to ${name}`, () => expect(bypassesProxy(list, host, port)).to.equal(true));
  }
  for (const [name, [list, host, port]] of Object.entries(PROXIED)) {
    it(`goes through the proxy: ${name}`, () => expect(bypassesProxy(list, host, port)).to.equal(false));
  }
  for (const entry of BROKEN) {
    it(`refuses ${entry}`, () => expect(() => bypassesProxy(`gw.example.com,${entry}`, 'x', 1)).to.throw(entry));
  }
});
