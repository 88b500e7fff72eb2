// Three-valued logic (Kleene): what is not known stays not known, and decides nothing.

/** Yes, no, or not known. */
export type Tri = 'yes' | 'no' | 'unknown';

export function tri(value: boolean): Tri {
  return value ? 'yes' : 'no';
}

export function negate(value: Tri): Tri {
  if (value === 'unknown') return 'unknown';
  return value === 'yes' ? 'no' : 'yes';
}

/** `no` as soon as one is no; `yes` only if all are. */
export function every(values: readonly Tri[]): Tri {
  if (values.includes('no')) return 'no';
  return values.includes('unknown') ? 'unknown' : 'yes';
}

/** `yes` as soon as one is yes; `no` only if all are. */
export function some(values: readonly Tri[]): Tri {
  if (values.includes('yes')) return 'yes';
  return values.includes('unknown') ? 'unknown' : 'no';
}
