// How a unit is set up: what systemd says of its conditions, dependencies and load errors, and its files with their line numbers.
import { quoteWord } from '../../agents/runtime/index.ts';
import { type Fact, known, notApplicable, type UnitSetup, unknown } from '../engine/index.ts';
import type { PartUnit } from './ask.ts';
import { defineProbe } from './define-probe.ts';
import { ENVIRONMENT, STEERING } from './environment-files.ts';
import { type HostRound, look, say } from './probe.ts';
import { parseSetups, relations } from './unit-setup-output.ts';
import { notSystemd } from './units.ts';

const properties = [
  'Id',
  'LoadError',
  'ConditionResult',
  'AssertResult',
  'ConditionTimestamp',
  'AssertTimestamp',
  'User',
  'FragmentPath',
  'DropInPaths',
  'StatusErrno',
  'Job',
  'FreezerState',
  'EnvironmentFiles',
  'ExecCondition',
  'ExecStartPre',
  'ExecStartPost',
  ...relations,
].join(',');

const relatedProperties = 'Id,Names,LoadState,ActiveState,SubState,Result,ActiveEnterTimestamp,InactiveEnterTimestamp';

// Lines keep their numbers. Only assignments are printed; of variables that steer no runtime only the name.
const lister = `list() { awk -v keep='${STEERING}' '
  function shown(word,  at, name, mark) {
    mark = ""
    if (word ~ /^["\\047]/) { mark = substr(word, 1, 1); word = substr(word, 2) }
    at = index(word, "="); if (at == 0) return held ? mark word : mark "…"
    name = substr(word, 1, at - 1); held = name ~ keep
    return held ? mark word : mark name "=…"
  }
  { line = $0; body = line; sub(/^[ \\t]+/, "", body)
    if (!more) masked = body ~ /^(Environment|SetCredential|SetCredentialEncrypted)[ \\t]*=/
    else if (body ~ /^[#;]/) next
    if (body == "" || body ~ /^[#;]/) next
    if (masked) {
      held = 0; at = more ? 0 : index(body, "="); head = substr(body, 1, at); rest = substr(body, at + 1); out = head
      end = rest ~ /\\\\$/ ? "\\\\" : ""; sub(/\\\\$/, "", rest)
      n = split(rest, words, /[ \\t]+/)
      for (i = 1; i <= n; i++) if (words[i] != "") out = out (out == head ? "" : " ") shown(words[i])
      body = out end
    }
    print NR ": " body
    more = line ~ /\\\\$/
  }' 2>/dev/null; }`;

/** One section for all units that can have a cause of their own, and one fact for each of them. */
export const setupProbe = defineProbe({
  id: 'unit.setup',
  title: 'how the units are set up',
  capBytes: 96 * 1024,
  script: ({ units }) => setupScript(units),
  parse: (text) => Object.fromEntries(parseSetups(text)),
  facts: (round, ask) => [...setupFacts(round, ask.units), ...notSystemd(round, ask, 'unit.setup')],
});

function setupScript(units: readonly PartUnit[]): string {
  const names = units.flatMap(({ part, unit }) => (unit === null || part === 'docker' ? [] : [quoteWord(unit)]));
  return `[ -d /run/systemd/system ] || { echo '!absent this host does not run systemd'; return; }
${lister}
${ENVIRONMENT}
TZ=UTC; export TZ
all=
for u in ${names.join(' ')}; do
  shown=$($T systemctl show --no-pager -p ${properties} "$u" 2>/dev/null) || continue
  echo "--unit $u"; printf '%s\\n' "$shown"
  cg=$($T systemctl show -p ControlGroup --value "$u" 2>/dev/null)
  [ -n "$cg" ] && sed -n 's/^frozen \\([01]\\)$/CgroupFrozen=\\1/p' "/sys/fs/cgroup$cg/cgroup.events" 2>/dev/null
  # The only place where every systemd says which of several conditions was the one.
  $T systemctl status --no-pager -l -n 0 "$u" 2>/dev/null | sed -n -E 's/^[^A-Za-z]*((Condition|Assert)[A-Za-z]*=.*) was not met$/Unmet=\\1/p'
  for f in $(printf '%s\\n' "$shown" | sed -n 's/^\\(FragmentPath\\|DropInPaths\\)=//p'); do
    [ -e "$f" ] || continue
    b=$(take "$f" '' '' part)
    case $b in +*) echo "--file $f"; printf '%s\\n' "$b" | sed 1d | list;; *) refused "$f";; esac
  done
  w=$(printf '%s\\n' "$shown" | sed -n 's/^User=//p')
  printf '%s\\n' "$shown" | sed -n 's/^EnvironmentFiles=\\(.*\\) (ignore_errors=.*/\\1/p' | while read -r f; do environment "$f"; done
  all="$all $(printf '%s\\n' "$shown" | sed -n -E 's/^(${relations.join('|')})=//p' | tr '\\n' ' ')"
done
echo "--related"
$T systemctl show --no-pager -p ${relatedProperties} $(printf '%s\\n' $all | sort -u | grep -v '^shutdown.target$') 2>/dev/null`;
}

function setupFacts(round: HostRound, parts: readonly PartUnit[]): readonly Fact[] {
  const looked = look(round, 'unit.setup');
  const setups = looked.ok && !looked.text.startsWith('!absent') ? parseSetups(looked.text) : null;
  return parts.flatMap(({ part, unit }): Fact[] => {
    if (unit === null || part === 'docker') return [];
    const setup = setups?.get(unit);
    const absent = looked.ok && looked.text.startsWith('!absent');
    return [
      say(round, {
        key: 'unit.setup',
        subject: part,
        section: 'unit.setup',
        command: `systemctl cat ${unit}; systemctl show ${unit}`,
        lines: setup ? linesOf(setup) : [],
        reading: absent
          ? notApplicable('this host does not run systemd')
          : !looked.ok
            ? unknown(looked.reason, looked.detail)
            : setup
              ? known(setup)
              : unknown('unparsed', `no answer for ${unit}`),
      }),
    ];
  });
}

function linesOf(setup: UnitSetup): readonly string[] {
  return [
    ...(setup.loadError ? [setup.loadError] : []),
    ...setup.unmet.map((item) => `${item} was not met`),
    ...setup.failedCommands.map((item) => `${item.setting}=${item.command}: status ${item.status}`),
    ...setup.dropIns.map((file) => `drop-in ${file}`),
    ...setup.unreadable.map(({ path, why }) => `${path} was not read: ${why}`),
  ];
}
