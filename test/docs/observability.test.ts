import { readFileSync } from 'node:fs';
import { expect } from 'chai';
import { Registry } from 'prom-client';
import { AgentMetrics } from '../../agent/metrics.ts';
import { gatewayMeter, refusalCounter, registerGatewayMetrics } from '../../operator/gateway/metrics.ts';
import { createOperatorMetrics } from '../../operator/metrics.ts';

/** Metrics of any Node process, which the page names as a whole. */
const USUAL = /^(clustertunnel_agent_)?(process|nodejs)_/;

const page = readFileSync(new URL('../../docs/observability.md', import.meta.url), 'utf8');
/** Rows of the page's tables of metrics: `name type label, label`. */
const told = [...page.matchAll(/^\| `(\w+)` +\| (counter|gauge|histogram) +\| ([\w, ]*?) *\| .+\|$/gm)].map(
  ([, name, type, labels]) => `${name} ${type} ${labels}`.trim(),
);

interface Registered {
  readonly name: string;
  readonly type: string;
  readonly help: string;
  readonly labelNames: readonly string[];
}

function registered(): Registered[] {
  const { registry } = createOperatorMetrics();
  refusalCounter(registry);
  gatewayMeter(registry, () => []);
  const nothing = () => {
    throw new Error('nobody scrapes');
  };
  registerGatewayMetrics(registry, {
    counts: nothing,
    maxBufferBytes: 0,
    waiting: nothing,
    starvedMs: nothing,
    circuits: nothing,
    cached: nothing,
    fallbacks: nothing,
    healthSamples: nothing,
    looks: nothing,
  });
  const agent = new Registry();
  new AgentMetrics(nothing, agent);
  const all = [registry, agent].flatMap((each) => each.getMetricsAsArray() as unknown as Registered[]);
  registry.clear();
  agent.clear();
  return all.filter(({ name }) => !USUAL.test(name));
}

describe('docs/observability', () => {
  const metrics = registered();
  const known = metrics.map(({ name, type, labelNames }) => `${name} ${type} ${labelNames.join(', ')}`.trim());

  it('tells of every metric, with its type and labels', () => {
    expect(known.filter((each) => !told.includes(each))).to.deep.equal([]);
  });

  it('tells of no metric that there is not, and of each once', () => {
    expect(told.filter((each) => !known.includes(each))).to.deep.equal([]);
    expect(new Set(told).size).to.equal(told.length);
  });

  it('has a HELP for each, and our prefix or a well-known one', () => {
    for (const { name, help } of metrics) {
      expect(name).to.match(/^(clustertunnel|controller_runtime|workqueue|leader_election|rest_client)_/);
      expect(help, name).to.match(/^\S.{8,}\.$/);
    }
  });

  it('puts the tunnel on no metric of many dimensions: beside it stands at most a result, of which there are few', () => {
    for (const { name, labelNames } of metrics.filter((each) => each.labelNames.includes('tunnel')))
      expect(
        labelNames.filter((label) => label !== 'result'),
        name,
      ).to.deep.equal(['tunnel']);
  });
});
