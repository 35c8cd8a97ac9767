/** Every reason that a condition can carry. They are API: programs match them, docs explain them. */
export const Reason = {
  // Accepted
  SpecAccepted: 'SpecAccepted',
  InvalidSpec: 'InvalidSpec',
  // CredentialsReady
  TokenIssued: 'TokenIssued',
  ManifestNotApplied: 'ManifestNotApplied',
  KeysMissing: 'KeysMissing',
  KubeconfigMissing: 'KubeconfigMissing',
  KubeconfigRefused: 'KubeconfigRefused',
  Unauthorized: 'Unauthorized',
  // CredentialsReady, AgentAvailable
  Forbidden: 'Forbidden',
  ApplyFailed: 'ApplyFailed',
  NamespaceTerminating: 'NamespaceTerminating',
  QuotaExceeded: 'QuotaExceeded',
  ClusterUnreachable: 'ClusterUnreachable',
  NotAttempted: 'NotAttempted',
  // AgentAvailable
  AllReplicasReady: 'AllReplicasReady',
  SomeReplicasReady: 'SomeReplicasReady',
  NoReplicaReady: 'NoReplicaReady',
  AgentConnected: 'AgentConnected',
  NotObservable: 'NotObservable',
  // AgentAvailable, Connected, Ready
  Suspended: 'Suspended',
  // Connected
  SessionOpen: 'SessionOpen',
  NeverConnected: 'NeverConnected',
  SessionLost: 'SessionLost',
  GatewayStarted: 'GatewayStarted',
  Flapping: 'Flapping',
  // UpstreamHealthy (others come from the probe)
  NoSession: 'NoSession',
  NotProbedYet: 'NotProbedYet',
  // Connected, UpstreamHealthy
  EvidenceTooOld: 'EvidenceTooOld',
  CircuitOpen: 'CircuitOpen',
  Healthy: 'Healthy',
  ProbeFailed: 'ProbeFailed',
  Saturated: 'Saturated',
  // FallbackReady
  Standby: 'Standby',
  RequestsGoDirectly: 'RequestsGoDirectly',
  FallbackUnreachable: 'FallbackUnreachable',
  // Ready
  RequestsGetThrough: 'RequestsGetThrough',
  LowDisk: 'LowDisk',
  // Ready, while the tunnel is deleted
  Draining: 'Draining',
  RemovingAgent: 'RemovingAgent',
  RemoteUnreachable: 'RemoteUnreachable',
  // Reconciling
  RollingOut: 'RollingOut',
  Suspending: 'Suspending',
} as const;
export type Reason = (typeof Reason)[keyof typeof Reason];
