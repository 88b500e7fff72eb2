// What a release would change on a host. Pure: facts and parcel in, a value out that can be printed, tested and applied.

import { unifiedDiff } from '../plan/diff.ts';
import { unitsInDoubt } from '../plan/doubt.ts';
import { LAYOUT } from '../plan/layout.ts';
import type { Drift, HostFacts, Manifest, ReleaseParcel } from '../plan/manifest.ts';

/** One rendered file that differs. */
export interface FileChange {
  readonly path: string;
  readonly kind: 'added' | 'changed' | 'removed';
  readonly diff: readonly string[];
}

/** A managed file that is not as it was shipped, with what applying would change in it. */
export interface DriftChange extends Drift {
  readonly diff: readonly string[];
}

/** What applying would do to one host. */
export interface HostChange {
  /** Nothing at all: not even the helper is older. */
  readonly none: boolean;
  readonly first: boolean;
  readonly from: string | null;
  readonly to: string;
  readonly files: readonly FileChange[];
  readonly sendsApp: boolean;
  readonly sendsRuntime: boolean;
  readonly sendsHelper: boolean;
  readonly installs: readonly string[];
  /** Units that are started or restarted. */
  readonly restarts: readonly string[];
  readonly reloadsNginx: boolean;
  readonly drift: readonly DriftChange[];
  /** A reason why "nothing differs" is not "nothing to do". */
  readonly unsettled: string | undefined;
}

/** What is compared. */
export interface Comparison {
  readonly facts: HostFacts | undefined;
  readonly parcel: ReleaseParcel;
  readonly helper: string;
  readonly packages: readonly string[];
  /** Contents of the current release by path, as far as they were read. */
  readonly before: Readonly<Record<string, string | null>>;
  /** Contents of edited files by their own path, as far as they were read. */
  readonly edited?: Readonly<Record<string, string | null>>;
}

/** Compares. A host without facts is a bare one. */
export function compareHost({ facts, parcel, helper, packages, before, edited = {} }: Comparison): HostChange {
  const next = parcel.manifest;
  const current = facts?.manifest ?? null;
  const phase = facts?.state.phase ?? 'empty';
  const unsettled =
    phase === 'activating'
      ? 'an earlier deploy did not end: it is taken back first'
      : phase === 'hold'
        ? 'an earlier deploy was held'
        : undefined;
  const same = current?.digest === next.digest;
  const drift = facts?.drift ?? [];
  const inactive = facts?.inactive ?? [];
  const sendsHelper = facts?.helper !== helper;
  const again = new Set([...inactive, ...unitsInDoubt(next.units, { phase, drift })]);
  const restarts = next.units
    .filter((unit) => facts?.state.started[unit.name]?.fingerprint !== unit.fingerprint || again.has(unit.name))
    .map((unit) => unit.name);
  return {
    none: same && drift.length === 0 && inactive.length === 0 && !sendsHelper && unsettled === undefined,
    first: current === null,
    from: current?.id ?? null,
    to: next.id,
    files: same ? [] : changedFiles(current, parcel, before),
    sendsApp: !facts?.apps.includes(next.app),
    sendsRuntime: !facts?.runtimes.includes(next.runtime),
    sendsHelper,
    installs: next.nginx && !facts?.nginx ? packages : [],
    restarts,
    reloadsNginx: next.nginx && !(same && drift.length === 0),
    drift: drift.map((entry) => ({ ...entry, diff: diffOf(entry, parcel, edited[entry.path]) })),
    unsettled,
  };
}

// From what somebody wrote there to what this release wants there.
function diffOf({ path }: Drift, { manifest, contents }: ReleaseParcel, onHost: string | null | undefined): string[] {
  if (onHost == null) return [];
  const outer = manifest.outer.find((entry) => entry.path === path);
  const within = path.startsWith(`${LAYOUT.releases}/`) ? path.split('/').slice(5).join('/') : '';
  const wanted = outer?.kind === 'file' ? outer.content : contents[within];
  return wanted === undefined ? [] : [...unifiedDiff(onHost, wanted)];
}

function changedFiles(
  current: Manifest | null,
  parcel: ReleaseParcel,
  before: Readonly<Record<string, string | null>>,
): FileChange[] {
  const old = new Map(current?.files.map((file) => [file.path, file.sha256]));
  const changes: FileChange[] = [];
  for (const file of parcel.manifest.files) {
    if (old.get(file.path) === file.sha256) continue;
    const kind = old.has(file.path) ? 'changed' : 'added';
    const to = parcel.manifest.id;
    // Every release carries its id in some files; that is not worth a reader's time, nor are the bytes of a certificate.
    const diff =
      kind === 'added' || /\.(crt|pem)$/.test(file.path)
        ? []
        : unifiedDiff(before[file.path] ?? '', (parcel.contents[file.path] ?? '').replaceAll(to, current?.id ?? to));
    if (kind === 'changed' && diff.length === 0 && before[file.path] != null && !/\.(crt|pem)$/.test(file.path))
      continue;
    changes.push({ path: file.path, kind, diff });
  }
  const next = new Set(parcel.manifest.files.map((file) => file.path));
  for (const path of old.keys()) if (!next.has(path)) changes.push({ path, kind: 'removed', diff: [] });
  return changes;
}
