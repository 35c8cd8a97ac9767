import { spawnSync } from 'node:child_process';

/** The shared libraries a program loads, and the loader itself, by the paths under which it looks for them. None for a static one. */
export function librariesOf(program: string): string[] {
  const { error, stdout } = spawnSync('ldd', [program], { encoding: 'utf8', timeout: 10_000 });
  if (error !== undefined) throw new Error(`ldd could not be run: ${error.message}`, { cause: error });
  return librariesIn(stdout);
}

/** Of ldd's lines `libm.so.6 => /lib/libm.so.6 (0x…)` and `/lib64/ld-linux.so.2 (0x…)`, the paths. */
export function librariesIn(ldd: string): string[] {
  return [...ldd.matchAll(/(?:=>\s+|^\s*)(\/\S+)\s+\(0x/gm)].flatMap(([, path]) => path ?? []);
}
