import type { FromSchema } from 'json-schema-to-ts';
import type { specSchema } from './schema.ts';
import type { statusSchema } from './status-schema.ts';

/** The spec with every default filled in. */
export type Spec = FromSchema<typeof specSchema>;

/** The spec as a user writes it. */
export type SpecInput = FromSchema<typeof specSchema, { keepDefaultedPropertiesOptional: true }>;

/** What the operator reports. */
export type Status = FromSchema<typeof statusSchema>;

/** One condition of the status. */
export type Condition = NonNullable<Status['conditions']>[number];
export type ConditionStatus = Condition['status'];

/** Metadata as far as we read it. */
export interface TunnelMetadata {
  readonly name: string;
  readonly uid: string;
  readonly resourceVersion?: string;
  readonly generation?: number;
  readonly creationTimestamp?: string;
  readonly deletionTimestamp?: string;
  readonly finalizers?: readonly string[];
  readonly labels?: Readonly<Record<string, string>>;
  readonly annotations?: Readonly<Record<string, string>>;
}

/** A ClusterTunnel as the API server hands it out; `spec` is unchecked until validate.ts has seen it. */
export interface ClusterTunnel {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: TunnelMetadata;
  readonly spec?: SpecInput;
  readonly status?: Status;
}
