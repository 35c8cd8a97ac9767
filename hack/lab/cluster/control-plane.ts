import { join } from 'node:path';
import { ApiClient } from '../api/client.ts';
import type { Binaries } from '../binaries/programs.ts';
import type { Ledger } from '../processes/ledger.ts';
import { Component, type ComponentSpec } from './component.ts';

/** Everything the four programs need to know. */
export interface ControlPlaneInput {
  readonly binaries: Binaries;
  readonly folder: string;
  readonly pkiFolder: string;
  readonly ports: {
    readonly etcd: number;
    readonly apiServer: number;
    readonly controllerManager: number;
    readonly scheduler: number;
  };
  readonly serviceRange: string;
  /** The API server's: on 127.0.0.1 only this machine reaches it. */
  readonly apiHost: string;
  /** A kubelet that the node authorizer judges, and pods whose addresses Endpoints may hold. */
  readonly hasRealNode: boolean;
  readonly tokensPath: string;
  readonly auditPolicyPath: string;
  readonly auditLogPath: string;
  /** PEM, for the health checks. */
  readonly caPem: string;
  readonly etcdCaPem: string;
  readonly etcdClient: { readonly certificatePem: string; readonly keyPem: string };
  readonly ledger: Ledger;
}

export interface ControlPlane {
  readonly etcd: Component;
  readonly apiServer: Component;
  readonly controllerManager: Component;
  readonly scheduler: Component;
}

const START_TIMEOUT_MS = 90_000;

/** The four programs, not started. The stop order is theirs: etcd last, or the API server hangs in its shutdown. */
export function controlPlane(input: ControlPlaneInput): ControlPlane {
  const { ports, caPem, apiHost } = input;
  const etcdHealth = new ApiClient({
    url: `https://127.0.0.1:${ports.etcd}`,
    caPem: input.etcdCaPem,
    ...input.etcdClient,
  });
  const healthOf = (port: number, path: string, host = '127.0.0.1'): (() => Promise<boolean>) => {
    const client = new ApiClient({ url: `https://${host}:${port}`, caPem });
    return () => client.isOk(path);
  };
  const component = (
    name: keyof Binaries['files'],
    rest: Omit<ComponentSpec, 'name' | 'file' | 'logPath' | 'startTimeoutMs'>,
  ) =>
    new Component(
      {
        name,
        file: input.binaries.files[name],
        logPath: join(input.folder, 'logs', `${name}.log`),
        startTimeoutMs: START_TIMEOUT_MS,
        ...rest,
      },
      input.ledger,
    );
  return {
    etcd: component('etcd', {
      args: etcdFlags(input),
      address: `127.0.0.1:${ports.etcd}`,
      stopOrder: 4,
      stopGraceMs: 5_000,
      isHealthy: () => etcdHealth.isOk('/health'),
    }),
    apiServer: component('kube-apiserver', {
      args: apiServerFlags(input),
      address: `${apiHost}:${ports.apiServer}`,
      stopOrder: 3,
      stopGraceMs: 8_000,
      isHealthy: healthOf(ports.apiServer, '/readyz', apiHost),
    }),
    controllerManager: component('kube-controller-manager', {
      args: controllerManagerFlags(input),
      address: `127.0.0.1:${ports.controllerManager}`,
      stopOrder: 2,
      stopGraceMs: 3_000,
      isHealthy: healthOf(ports.controllerManager, '/healthz'),
    }),
    scheduler: component('kube-scheduler', {
      args: schedulerFlags(input),
      address: `127.0.0.1:${ports.scheduler}`,
      stopOrder: 2,
      stopGraceMs: 3_000,
      isHealthy: healthOf(ports.scheduler, '/healthz'),
    }),
  };
}

const REAL_NODE_FLAGS = ['--authorization-mode=Node,RBAC', '--enable-admission-plugins=NodeRestriction'];
const PROCESS_NODE_FLAGS = [
  '--authorization-mode=RBAC',
  '--endpoint-reconciler-type=none', // the API refuses loopback endpoints
];
/** Pods of a process node have loopback addresses, which the API refuses in Endpoints: these would fail on every Service. */
const PROCESS_NODE_CONTROLLERS =
  '*,-endpoints-controller,-endpointslice-controller,-endpointslice-mirroring-controller';

function etcdFlags({ folder, pkiFolder, ports }: ControlPlaneInput): string[] {
  const url = `https://127.0.0.1:${ports.etcd}`;
  return [
    `--data-dir=${join(folder, 'etcd')}`,
    '--unsafe-no-fsync', // a lab's data need not survive a power cut
    `--listen-client-urls=${url}`,
    `--advertise-client-urls=${url}`,
    '--listen-peer-urls=http://127.0.0.1:0', // no peers
    '--client-cert-auth',
    `--trusted-ca-file=${join(pkiFolder, 'etcd-ca.crt')}`,
    `--cert-file=${join(pkiFolder, 'etcd.crt')}`,
    `--key-file=${join(pkiFolder, 'etcd.key')}`,
    '--log-level=warn',
  ];
}

function apiServerFlags(input: ControlPlaneInput): string[] {
  const pki = (name: string): string => join(input.pkiFolder, name);
  return [
    `--etcd-servers=https://127.0.0.1:${input.ports.etcd}`,
    `--etcd-cafile=${pki('etcd-ca.crt')}`,
    `--etcd-certfile=${pki('etcd-client.crt')}`,
    `--etcd-keyfile=${pki('etcd-client.key')}`,
    `--bind-address=${input.apiHost}`,
    `--advertise-address=${input.apiHost}`,
    ...(input.hasRealNode ? REAL_NODE_FLAGS : PROCESS_NODE_FLAGS),
    `--secure-port=${input.ports.apiServer}`,
    `--tls-cert-file=${pki('apiserver.crt')}`,
    `--tls-private-key-file=${pki('apiserver.key')}`,
    `--client-ca-file=${pki('ca.crt')}`,
    `--token-auth-file=${input.tokensPath}`,
    `--requestheader-client-ca-file=${pki('front-proxy-ca.crt')}`,
    '--requestheader-allowed-names=front-proxy-client',
    '--requestheader-username-headers=X-Remote-User',
    '--requestheader-group-headers=X-Remote-Group',
    '--requestheader-extra-headers-prefix=X-Remote-Extra-',
    `--proxy-client-cert-file=${pki('front-proxy.crt')}`,
    `--proxy-client-key-file=${pki('front-proxy.key')}`,
    '--service-account-issuer=https://kubernetes.default.svc.cluster.local',
    `--service-account-key-file=${pki('service-account.pub')}`,
    `--service-account-signing-key-file=${pki('service-account.key')}`,
    `--service-cluster-ip-range=${input.serviceRange}`,
    '--allow-privileged=true',
    `--kubelet-certificate-authority=${pki('ca.crt')}`,
    `--kubelet-client-certificate=${pki('kubelet-client.crt')}`,
    `--kubelet-client-key=${pki('kubelet-client.key')}`,
    '--kubelet-preferred-address-types=InternalIP',
    `--audit-policy-file=${input.auditPolicyPath}`,
    `--audit-log-path=${input.auditLogPath}`,
    '--audit-log-maxsize=200',
    '--audit-log-maxbackup=1',
    '--profiling=false',
  ];
}

function controllerManagerFlags(input: ControlPlaneInput): string[] {
  return [
    ...sharedFlags(input, 'controller-manager', input.ports.controllerManager),
    `--root-ca-file=${join(input.pkiFolder, 'ca.crt')}`,
    `--service-account-private-key-file=${join(input.pkiFolder, 'service-account.key')}`,
    '--use-service-account-credentials=true',
    `--controllers=${input.hasRealNode ? '*' : PROCESS_NODE_CONTROLLERS}`,
  ];
}

function schedulerFlags(input: ControlPlaneInput): string[] {
  return sharedFlags(input, 'scheduler', input.ports.scheduler);
}

function sharedFlags({ folder, pkiFolder }: ControlPlaneInput, kubeconfig: string, port: number): string[] {
  return [
    `--kubeconfig=${join(folder, `${kubeconfig}.kubeconfig`)}`,
    '--leader-elect=false',
    '--bind-address=127.0.0.1',
    `--secure-port=${port}`,
    `--tls-cert-file=${join(pkiFolder, 'control-plane.crt')}`,
    `--tls-private-key-file=${join(pkiFolder, 'control-plane.key')}`,
    '--kube-api-qps=200',
    '--kube-api-burst=400',
    '--profiling=false',
  ];
}
