/** What the kubeconfig of spec.fallback says of the target's API server. Held in memory only, and never logged. */
export interface FallbackTarget {
  /** https, perhaps with a path, without a slash at its end. */
  readonly server: string;
  /** PEM; undefined: the authorities that this system trusts. */
  readonly caPem: string | undefined;
  readonly tlsServerName: string | undefined;
  readonly token: string | undefined;
  /** PEM, both or none. */
  readonly certificatePem: string | undefined;
  readonly keyPem: string | undefined;
}

/** Which key of which Secret of the operator's namespace. */
export interface FallbackRef {
  readonly name: string;
  readonly key: string;
}

/** Why there is no target, in words that hold nothing of what the Secret holds. */
export interface TargetTrouble {
  readonly reason: 'KubeconfigMissing' | 'KubeconfigRefused';
  readonly message: string;
}

export type TargetChoice = { readonly kubeconfig: FallbackTarget } | { readonly trouble: TargetTrouble };

/** The target that a Secret names now. */
export type FindTarget = (ref: FallbackRef) => TargetChoice;

/** Whether requests go to the same server with the same credential. */
export function isSameTarget(a: FallbackTarget, b: FallbackTarget): boolean {
  const facts = (target: FallbackTarget) => {
    const { server, caPem, tlsServerName, token, certificatePem, keyPem } = target;
    return [server, caPem, tlsServerName, token, certificatePem, keyPem];
  };
  const others = facts(b);
  return facts(a).every((fact, at) => fact === others[at]);
}
