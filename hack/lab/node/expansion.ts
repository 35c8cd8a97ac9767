/**
 * `text` with `$(NAME)` replaced by the variable's value, as the kubelet does it:
 * a name that is not known stays as it is, and `$$` is one dollar, so `$$(NAME)` is how to write `$(NAME)`.
 */
export function expand(text: string, variables: ReadonlyMap<string, string>): string {
  return text.replace(/\$\$|\$\(([^)]*)\)/g, (found, name?: string) => {
    if (name === undefined) return '$';
    return variables.get(name) ?? found;
  });
}
