import { QUANTITY_KEYWORD } from './fields.ts';
import { GROUP, KIND, NAME_MAX_LENGTH, NAME_PATTERN, PLURAL, specSchema, VERSION } from './schema.ts';
import { statusSchema } from './status-schema.ts';

type Json = Readonly<Record<string, unknown>>;

const condition = (type: string, field: string) => `.status.conditions[?(@.type=="${type}")].${field}`;

/** Columns of `kubectl get ct`; priority 1 shows with -o wide. */
const PRINTER_COLUMNS = [
  {
    name: 'Ready',
    type: 'string',
    jsonPath: condition('Ready', 'status'),
    description: 'Whether requests get through.',
  },
  {
    name: 'Connected',
    type: 'string',
    jsonPath: condition('Connected', 'status'),
    description: 'Whether an agent has an open session.',
  },
  {
    name: 'Agents',
    type: 'string',
    jsonPath: '.status.agents',
    description: 'Local: ready/desired. Manual: connected.',
  },
  {
    name: 'Version',
    type: 'string',
    jsonPath: '.status.kubernetesVersion',
    description: 'Kubernetes behind the tunnel.',
  },
  {
    name: 'Endpoint',
    type: 'string',
    jsonPath: '.status.endpoint',
    description: 'URL of this cluster at the gateway.',
  },
  { name: 'Age', type: 'date', jsonPath: '.metadata.creationTimestamp' },
  {
    name: 'Reason',
    type: 'string',
    priority: 1,
    jsonPath: condition('Ready', 'reason'),
    description: 'Why (not) ready.',
  },
  {
    name: 'Message',
    type: 'string',
    priority: 1,
    jsonPath: condition('Ready', 'message'),
    description: 'Why (not) ready, and what to do.',
  },
] as const;

/** The CustomResourceDefinition as it is applied. */
export function crdManifest(): Json {
  return {
    apiVersion: 'apiextensions.k8s.io/v1',
    kind: 'CustomResourceDefinition',
    metadata: { name: `${PLURAL}.${GROUP}`, labels: { 'app.kubernetes.io/name': 'clustertunnel' } },
    spec: {
      group: GROUP,
      scope: 'Cluster',
      names: {
        kind: KIND,
        listKind: `${KIND}List`,
        plural: PLURAL,
        singular: 'clustertunnel',
        shortNames: ['ct'],
      },
      versions: [
        {
          name: VERSION,
          served: true,
          storage: true,
          subresources: { status: {} },
          additionalPrinterColumns: PRINTER_COLUMNS,
          schema: { openAPIV3Schema: rootSchema() },
        },
      ],
    },
  };
}

function rootSchema(): Json {
  return {
    type: 'object',
    description: 'A cluster that is reached through an agent which dials out from it: no inbound port is needed there.',
    properties: {
      apiVersion: { type: 'string' },
      kind: { type: 'string' },
      metadata: { type: 'object', properties: { name: { type: 'string', maxLength: 253 } } },
      // ajv has no place for a default at a schema's root; validate.ts takes a missing spec for {} as well.
      spec: { ...structural(specSchema), default: {} },
      status: structural(statusSchema),
    },
    'x-kubernetes-validations': [
      {
        rule: `self.metadata.name.size() <= ${NAME_MAX_LENGTH} && self.metadata.name.matches('${NAME_PATTERN}')`,
        fieldPath: '.metadata.name',
        message: `must be at most ${NAME_MAX_LENGTH} lower case letters, digits and '-': it becomes part of the names of the agent's objects`,
      },
    ],
  };
}

/**
 * The JSON Schema as Kubernetes wants it: unknown fields are pruned by the API server, so `additionalProperties: false`
 * may not be said, and our ajv keyword is unknown there (CEL says the same).
 */
function structural(schema: unknown): Json {
  return strip(schema) as Json;
}

function strip(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(strip);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(
    Object.entries(value)
      .filter(([name, entry]) => name !== QUANTITY_KEYWORD && !(name === 'additionalProperties' && entry === false))
      .map(([name, entry]) => [name, strip(entry)]),
  );
}
