/** Names of series, as /metrics of gateway and agent say them. */
export const series = {
  /** Of the gateway. */
  inFlight: 'clustertunnel_requests_in_flight',
  waiting: 'clustertunnel_requests_waiting',
  depth: 'clustertunnel_queue_depth{tunnel="c1"}',
  waited: 'clustertunnel_queue_wait_seconds_count{tunnel="c1"}',
  streams: 'clustertunnel_streams',
  sessions: 'clustertunnel_sessions',
  budget: 'clustertunnel_budget_bytes',
  budgetLimit: 'clustertunnel_budget_limit_bytes',
  queued: 'clustertunnel_queued_bytes',
  buffered: 'clustertunnel_buffered_bytes',
  cacheBytes: 'clustertunnel_cache_bytes',
  cached: (result: string) => `clustertunnel_cache_requests_total{result="${result}"}`,
  refused: (code: string) => `clustertunnel_requests_refused_total{code="${code}"}`,
  cut: (code: string) => `clustertunnel_answers_cut_total{code="${code}"}`,
  over: (reason: string) => `clustertunnel_session_duration_seconds_count{reason="${reason}"}`,
  /** Of the agent. */
  busy: (pool = 'ordinary') => `clustertunnel_agent_workers_busy{pool="${pool}"}`,
  room: (pool: string) => `clustertunnel_agent_workers_limit{pool="${pool}"}`,
  agentBuffered: 'clustertunnel_agent_buffered_bytes',
  agentLimit: 'clustertunnel_agent_buffer_limit_bytes',
  connections: 'clustertunnel_agent_upstream_connections',
  ended: (outcome: string, of: string) =>
    `clustertunnel_agent_exchanges_total{outcome="${outcome}",status_class="${of}"}`,
  failed: (code: string) => `clustertunnel_agent_upstream_errors_total{code="${code}"}`,
  dialed: (result: string) => `clustertunnel_agent_dials_total{result="${result}"}`,
} as const;
