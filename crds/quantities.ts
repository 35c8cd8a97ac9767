const BYTES = /^(\d{1,15})(Ki|Mi|Gi|k|M|G)?$/;
const BYTES_PER_UNIT: Readonly<Record<string, number>> = {
  '': 1,
  k: 1e3,
  M: 1e6,
  G: 1e9,
  Ki: 2 ** 10,
  Mi: 2 ** 20,
  Gi: 2 ** 30,
};

const DURATION = /^(\d{1,12})(ms|s|m|h)$/;
const MS_PER_UNIT: Readonly<Record<string, number>> = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000 };

/** Bytes of a Kubernetes quantity: "4Mi" is 4194304, "1500" and 1500 are themselves; undefined if it is none. */
export function parseBytes(text: string | number): number | undefined {
  return parse(BYTES, BYTES_PER_UNIT, String(text));
}

/** Milliseconds of a duration in one unit: "500ms", "10s", "2m", "1h"; undefined if it is none. */
export function parseDurationMs(text: string): number | undefined {
  return parse(DURATION, MS_PER_UNIT, text);
}

function parse(shape: RegExp, units: Readonly<Record<string, number>>, text: string): number | undefined {
  const match = shape.exec(text);
  const unit = units[match?.[2] ?? ''];
  return match === null || unit === undefined ? undefined : Number(match[1]) * unit;
}
