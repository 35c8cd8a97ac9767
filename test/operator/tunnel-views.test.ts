import { expect } from 'chai';
import { DEFAULT_CACHE } from '../../crds/cache.ts';
import { DEFAULT_CIRCUIT_BREAKER } from '../../crds/circuit-breaker.ts';
import type { ClusterTunnel } from '../../crds/types.ts';
import { TunnelViews } from '../../operator/tunnel-views.ts';

const STARTED = new Date('2026-11-22T12:00:00Z');

function tunnel(changes: Partial<ClusterTunnel['metadata']> = {}, spec: unknown = {}): ClusterTunnel {
  const metadata = { name: 'c1', uid: 'u1', generation: 1, creationTimestamp: '2026-11-22T11:59:00Z', ...changes };
  return { apiVersion: 'clustertunnel.io/v1alpha1', kind: 'ClusterTunnel', metadata, spec: spec as object };
}

describe('operator/tunnel-views', () => {
  let found: ClusterTunnel | undefined;
  const source = { get: () => found, list: () => (found === undefined ? [] : [found]) };
  let views: TunnelViews;
  beforeEach(() => {
    found = tunnel();
    views = new TunnelViews(source, STARTED);
  });

  it('shows limits and timeouts with defaults, for the generation of the object', () => {
    expect(views.get('c1')).to.deep.include({ name: 'c1', uid: 'u1', isDeleting: false });
    expect(views.get('c1')?.settings).to.include({ generation: 1, tunnelUid: 'u1' });
    expect(views.get('c1')?.settings.limits.maxConcurrentRequests).to.equal(64);
    expect(views.get('c1')?.admission).to.deep.equal({
      maxQueuedRequests: 2_000,
      rateLimit: { requestsPerSecond: 500, burst: 1_000 },
    });
  });

  it('shows what may be remembered, with defaults', () => {
    expect(views.get('c1')?.cache).to.deep.equal(DEFAULT_CACHE);
    found = tunnel({ generation: 2 }, { cache: { enabled: false, ttl: '1m', maxBytes: '1Mi' } });
    expect(views.get('c1')?.cache).to.deep.equal({ enabled: false, ttlMs: 60_000, maxBytes: 1_048_576 });
  });

  it('shows that the agents are placed elsewhere, and nothing else by that', () => {
    const placement = () => views.get('c1')?.placement;
    const before = placement();
    found = tunnel({ generation: 2 }, { cache: { ttl: '1m' } });
    expect(placement()).to.equal(before);
    found = tunnel({ generation: 3 }, { agent: { namespace: 'elsewhere' } });
    expect(placement()).to.not.equal(before);
  });

  it('shows the Secret of the fallback, with the default key; without the field none', () => {
    expect(views.get('c1')?.fallback).to.equal(undefined);
    found = tunnel({ generation: 2 }, { fallback: { kubeconfigSecretRef: { name: 'prod' } } });
    expect(views.get('c1')?.fallback).to.deep.equal({ name: 'prod', key: 'kubeconfig' });
  });

  it('shows when the circuit opens, with defaults', () => {
    expect(views.get('c1')?.circuitBreaker).to.deep.equal(DEFAULT_CIRCUIT_BREAKER);
    found = tunnel(
      { generation: 2 },
      { circuitBreaker: { failureThreshold: 1, window: '1m', maxOpenDuration: '10s' } },
    );
    const said = { failureThreshold: 1, windowMs: 60_000, openMs: 5_000, maxOpenMs: 10_000 };
    expect(views.get('c1')?.circuitBreaker).to.deep.equal(said);
  });

  it('keeps a view until the generation, the uid or the deletion changes', () => {
    const first = views.get('c1');
    found = { ...tunnel(), status: { sessions: 3 } };
    expect(views.get('c1')).to.equal(first);
    found = tunnel({ generation: 2 }, { limits: { maxConcurrentRequests: 3 } });
    expect(views.get('c1')?.settings.limits.maxConcurrentRequests).to.equal(3);
    found = tunnel({ uid: 'u2', generation: 2 });
    expect(views.get('c1')?.uid).to.equal('u2');
    found = tunnel({ uid: 'u2', generation: 2, deletionTimestamp: '2026-11-22T13:00:00Z' });
    expect(views.get('c1')?.isDeleting).to.equal(true);
  });

  it('shows whether a tunnel is suspended', () => {
    expect(views.get('c1')?.isSuspended).to.equal(false);
    found = tunnel({ generation: 2 }, { suspend: true });
    expect(views.get('c1')?.isSuspended).to.equal(true);
    found = tunnel({ generation: 3 }, { suspend: false });
    expect(views.get('c1')?.isSuspended).to.equal(false);
  });

  it('shows a tunnel whose new spec cannot be used as it was: what runs goes on', () => {
    const first = views.get('c1');
    found = tunnel({ generation: 2 }, { limits: { maxConcurrentRequests: 'many' } });
    expect(views.get('c1')).to.deep.equal(first);
    found = tunnel({ generation: 2, deletionTimestamp: '2026-11-22T13:00:00Z' }, { limits: 'none' });
    expect(views.get('c1')).to.deep.equal({ ...first, isDeleting: true });
    found = tunnel({ uid: 'u2', generation: 2 }, { limits: 'none' });
    expect(views.get('c1'), 'a namesake').to.equal(undefined);
  });

  it('shows nothing of a tunnel that is gone or cannot be used', () => {
    found = undefined;
    expect(views.get('c1')).to.equal(undefined);
    found = tunnel({ generation: 5 }, { limits: { maxConcurrentRequests: 'many' } });
    expect(views.get('c1')).to.equal(undefined);
  });

  it('lists what it would show', () => {
    expect(views.list()).to.deep.equal([views.get('c1')]);
    found = tunnel({ uid: 'u2', generation: 5 }, { limits: { maxConcurrentRequests: 'many' } });
    expect(views.list()).to.deep.equal([]);
  });

  it('does not take a tunnel of the same second for older: a creationTimestamp has no fractions', () => {
    const started = new Date('2026-11-22T12:00:00.900Z');
    found = tunnel({ creationTimestamp: '2026-11-22T12:00:00Z' });
    expect(new TunnelViews(source, started).get('c1')?.predatesGateway).to.equal(false);
    found = tunnel({ creationTimestamp: '2026-11-22T11:59:59Z', generation: 2 });
    expect(new TunnelViews(source, started).get('c1')?.predatesGateway).to.equal(true);
  });

  it('tells tunnels from before the gateway from those made since', () => {
    expect(views.get('c1')?.predatesGateway).to.equal(true);
    found = tunnel({ uid: 'u3', creationTimestamp: '2026-11-22T12:00:01Z' });
    expect(views.get('c1')?.predatesGateway).to.equal(false);
  });
});
