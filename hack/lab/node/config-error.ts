/** The pod asks for something that is not there (yet); it is tried again until it is. The message is the kubelet's. */
export class ConfigError extends Error {
  override readonly name = 'ConfigError';
}
