import { RULES_KEYWORD, type Rule } from './rules.ts';
import { GROUP, KIND, NAME_MAX_LENGTH, NAME_PATTERN, PLURAL, specSchema, VERSION } from './schema.ts';
import { statusSchema } from './status-schema.ts';

const VALIDATIONS = 'x-kubernetes-validations';

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
    [VALIDATIONS]: [
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
 * may not be said, and our rules become CEL.
 */
function structural(schema: unknown): Json {
  return project(schema) as Json;
}

function project(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(project);
  if (typeof value !== 'object' || value === null) return value;
  const { [RULES_KEYWORD]: rules = [], [VALIDATIONS]: transitions = [], ...rest } = value as Annotated;
  const kept = Object.entries(rest).filter(([name, entry]) => name !== 'additionalProperties' || entry !== false);
  const validations = [...rules.map(validation), ...transitions];
  return {
    ...Object.fromEntries(kept.map(([name, entry]) => [name, project(entry)])),
    ...(validations.length === 0 ? {} : { [VALIDATIONS]: validations }),
  };
}

interface Annotated {
  readonly [RULES_KEYWORD]?: readonly Rule[];
  readonly [VALIDATIONS]?: readonly object[];
}

function validation({ cel, message, fieldPath }: Rule): Json {
  return { rule: cel, message, ...(fieldPath === undefined ? {} : { fieldPath }) };
}
