/** Every reason that a condition can carry. They are API: programs match them, docs explain them. */
export const Reason = {
  // Accepted
  SpecAccepted: 'SpecAccepted',
  InvalidSpec: 'InvalidSpec',
  // CredentialsReady
  TokenIssued: 'TokenIssued',
  ManifestNotApplied: 'ManifestNotApplied',
  KeysMissing: 'KeysMissing',
  // CredentialsReady, AgentAvailable
  Forbidden: 'Forbidden',
  ApplyFailed: 'ApplyFailed',
  NotAttempted: 'NotAttempted',
  // AgentAvailable
  AllReplicasReady: 'AllReplicasReady',
  SomeReplicasReady: 'SomeReplicasReady',
  NoReplicaReady: 'NoReplicaReady',
  AgentConnected: 'AgentConnected',
  NotObservable: 'NotObservable',
  // Connected
  SessionOpen: 'SessionOpen',
  NeverConnected: 'NeverConnected',
  SessionLost: 'SessionLost',
  GatewayStarted: 'GatewayStarted',
  // UpstreamHealthy (others come from the probe)
  NoSession: 'NoSession',
  NotProbedYet: 'NotProbedYet',
  EvidenceTooOld: 'EvidenceTooOld',
  // Ready
  RequestsGetThrough: 'RequestsGetThrough',
  // Reconciling
  RollingOut: 'RollingOut',
} as const;
export type Reason = (typeof Reason)[keyof typeof Reason];
