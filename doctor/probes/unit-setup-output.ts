// Pure parsers of what the setup section prints: `systemctl show`, the files of a unit with their line numbers, and related units.
import type { RelatedUnit, RuntimeVariable, UnitSetting, UnitSetup } from '../engine/index.ts';
import { fieldsOf, timeOf } from './service-output.ts';

/** How another unit can decide whether this one runs. */
export const relations = [
  'Requires',
  'Requisite',
  'BindsTo',
  'PartOf',
  'Conflicts',
  'ConflictedBy',
  'WantedBy',
  'RequiredBy',
] as const;

/** By the name that each unit was asked for. */
export function parseSetups(text: string): ReadonlyMap<string, UnitSetup> {
  const [body = '', tail = ''] = text.split(/^--related\n?/m);
  const related = relatedOf(tail);
  return new Map(
    body
      .split(/^--unit /m)
      .slice(1)
      .map((block) => {
        const end = block.indexOf('\n');
        return [block.slice(0, end).trim(), setupOf(block.slice(end + 1), related)] as const;
      }),
  );
}

type Related = Omit<RelatedUnit, 'relation'>;

/** By every name that a unit answers to. */
function relatedOf(text: string): ReadonlyMap<string, Related> {
  const units = new Map<string, Related>();
  for (const block of text.split(/\n\n+/)) {
    const fields = fieldsOf(block);
    if (!fields.Id) continue;
    const unit: Related = {
      name: fields.Id,
      loadState: fields.LoadState ?? '',
      activeState: fields.ActiveState ?? '',
      subState: fields.SubState ?? '',
      result: fields.Result ?? '',
      activeSinceMs: timeOf(fields.ActiveEnterTimestamp),
      inactiveSinceMs: timeOf(fields.InactiveEnterTimestamp),
    };
    for (const name of [fields.Id, ...(fields.Names ?? '').split(' ')]) units.set(name, unit);
  }
  return units;
}

function setupOf(block: string, units: ReadonlyMap<string, Related>): UnitSetup {
  const [shown = '', ...files] = block.split(/^(?=--(?:file|env|gone|matched|unreadable) )/m);
  const fields = fieldsOf(shown);
  const lines = shown.split('\n');
  const values = (name: string) =>
    lines.flatMap((line) => (line.startsWith(`${name}=`) ? [line.slice(name.length + 1)] : []));
  const parts = files.map((part) => {
    const [, kind = '', path = ''] = /^--(\w+) (.*)/.exec(part) ?? [];
    return { kind, path, text: part.slice(part.indexOf('\n') + 1) };
  });
  const of = (kind: string) => parts.filter((part) => part.kind === kind);
  const settings = of('file').flatMap((part) => settingsOf(part.path, part.text));
  return {
    loadError: loadErrorOf(fields.LoadError ?? ''),
    dropIns: (fields.DropInPaths ?? '').split(' ').filter(Boolean),
    unmet: values('Unmet'),
    conditionsMet: yesNo(fields.ConditionResult),
    assertsMet: yesNo(fields.AssertResult),
    checkedAtMs: timeOf(fields.ConditionTimestamp),
    frozen: frozenOf(fields.FreezerState, fields.CgroupFrozen),
    statusErrno: Number(fields.StatusErrno ?? 0),
    job: Number.parseInt(fields.Job ?? '', 10) || null,
    failedCommands: ['ExecCondition', 'ExecStartPre', 'ExecStartPost'].flatMap((setting) =>
      values(setting).flatMap((value) => failedCommand(setting, value)),
    ),
    environmentFiles: values('EnvironmentFiles').flatMap((value) => {
      const [, path, optional] = /^(.*) \(ignore_errors=(yes|no)\)$/.exec(value) ?? [];
      if (path === undefined) return [];
      const exists =
        [...of('env'), ...of('matched')].some((part) => part.path === path) ||
        (of('gone').some((part) => part.path === path) ? false : null);
      return [{ path, optional: optional === 'yes', exists }];
    }),
    settings,
    unreadable: of('unreadable').map((part) => ({ path: part.path, why: part.text.trim() })),
    variables: [
      ...settings.flatMap(variablesOf),
      ...of('env').flatMap((part) => variablesOfFile(part.path, part.text)),
    ],
    related: relations.flatMap((relation) =>
      (fields[relation] ?? '').split(' ').flatMap((name): RelatedUnit[] => {
        const unit = units.get(name);
        return unit ? [{ relation, ...unit, name }] : [];
      }),
    ),
  };
}

function yesNo(text: string | undefined): boolean | null {
  return text === 'yes' ? true : text === 'no' ? false : null;
}

// The kernel outranks systemd: a group that somebody froze by hand is "running" to systemd.
function frozenOf(state: string | undefined, cgroup: string | undefined): boolean | null {
  if (cgroup !== undefined) return cgroup === '1';
  return state === undefined ? null : state.startsWith('frozen');
}

/** `org.freedesktop.systemd1.BadUnitSetting "Unit x has a bad unit file setting."` */
function loadErrorOf(text: string): string {
  return /"(.*)"/.exec(text)?.[1] ?? text;
}

/** `{ path=/bin/false ; argv[]=/bin/false -x ; ignore_errors=no ; … ; code=exited ; status=1 }` */
function failedCommand(setting: string, value: string) {
  const status = /; status=([^ }]+) \}$/.exec(value)?.[1] ?? '0/0';
  const code = /; code=(\S+) ;/.exec(value)?.[1] ?? '';
  const command = /argv\[\]=(.*?) ; (?:ignore_errors|flags)=/.exec(value)?.[1] ?? '';
  const failed = (code === 'exited' && !/^0(?:\/|$)/.test(status)) || code === 'killed' || code === 'dumped';
  return failed && !/ignore_errors=yes/.test(value) ? [{ setting, command, status }] : [];
}

/** Lines as `NUMBER: TEXT`; a backslash at the end continues the line, and the number is that of its first one. */
export function settingsOf(file: string, text: string): readonly UnitSetting[] {
  const settings: UnitSetting[] = [];
  let section = '';
  let open: { line: number; text: string } | null = null;
  for (const row of text.split('\n')) {
    const [, number, body = ''] = /^(\d+): (.*)$/.exec(row) ?? [];
    if (number === undefined) continue;
    const begun: { line: number; text: string } = open ?? { line: Number(number), text: '' };
    const joined: string = begun.text + body;
    open = joined.endsWith('\\') ? { line: begun.line, text: `${joined.slice(0, -1)} ` } : null;
    if (open) continue;
    const header = /^\[(.*)\]\s*$/.exec(joined)?.[1];
    if (header !== undefined) section = header;
    const [, name, value = ''] = /^([A-Za-z][A-Za-z0-9-]*)\s*=\s*(.*?)\s*$/.exec(joined) ?? [];
    if (header === undefined && name !== undefined) settings.push({ file, line: begun.line, section, name, value });
  }
  return settings;
}

function variablesOf(setting: UnitSetting): readonly RuntimeVariable[] {
  if (setting.name !== 'Environment') return [];
  const words = setting.value.match(/"(?:[^"\\]|\\.)*"|'[^']*'|\S+/g) ?? [];
  return words.flatMap((word) => variableOf(word.replace(/^(["'])(.*)\1$/, '$2'), setting));
}

function variableOf(text: string, { file, line }: { readonly file: string; readonly line: number }) {
  const [, name, value = ''] = /^([A-Za-z_]\w*)=(.*)$/.exec(text) ?? [];
  return name === undefined || value === '…' ? [] : [{ name, value, file, line }];
}

/** `grep -n` of an environment file. */
function variablesOfFile(file: string, text: string): readonly RuntimeVariable[] {
  return text.split('\n').flatMap((row) => {
    const [, line, body = ''] = /^(\d+):\s*(?:export )?(.*)$/.exec(row) ?? [];
    const plain = body.replace(/^(\w+=)(["'])(.*)\2\s*$/, '$1$3');
    return line === undefined ? [] : variableOf(plain, { file, line: Number(line) });
  });
}
