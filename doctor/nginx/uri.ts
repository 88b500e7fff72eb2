// The path of a request line as nginx reads it before it looks for a location: percent signs decoded, slashes merged, dots resolved.

/** Null for a path that nginx refuses with 400. */
export function normalPath(raw: string): string | null {
  const [path = ''] = raw.split(/[?#]/);
  if (!path.startsWith('/')) return null;
  let decoded: string;
  try {
    decoded = decodeURIComponent(path);
  } catch {
    return null;
  }
  if (decoded.includes('\0')) return null;
  const parts: string[] = [];
  const steps = decoded.split('/').slice(1);
  for (const [index, step] of steps.entries()) {
    const last = index === steps.length - 1;
    if (step === '..') {
      if (parts.length === 0) return null;
      parts.pop();
    }
    if (step === '' || step === '.' || step === '..') {
      if (last) parts.push('');
    } else parts.push(step);
  }
  return `/${parts.join('/')}`;
}
