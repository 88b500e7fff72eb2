// The configuration files of the agents as their units name them, and the trust that a gateway judges TLS with.
import { quoteWord } from '../../agents/runtime/index.ts';
import { unknown } from '../engine/index.ts';
import { parseAgentConfig } from './agent-config.ts';
import type { ConfigPlace } from './ask.ts';
import { defineProbe } from './define-probe.ts';
import { containerName } from './docker.ts';
import { type HostRound, look, read } from './probe.ts';

export const configProbes = (['backend', 'gateway'] as const).map((part) =>
  defineProbe({
    id: `agent.config.${part}`,
    title: `configuration of the ${part}`,
    seats: [part === 'backend' ? 'be' : 'gw'],
    script: ({ config }) => configScript(config),
    key: 'agent.config',
    subject: part,
    command: (_ask, round) => `cat ${pathIn(round, part) || '/opt/viworks/current/etc'}`,
    lines: ({ path, error, values }) =>
      error
        ? [`${path}${error.line ? `:${error.line}` : ''}: ${error.message}`]
        : Object.entries(values).map(([key, value]) => `${key} = ${value}`),
    reading: (round) => {
      const reading = read(look(round, `agent.config.${part}`), (text) => parseAgentConfig(text, part));
      // Without a file there may still be a configuration that we do not know how to find.
      return reading.status === 'not-applicable' ? unknown('unparsed', reading.why) : reading;
    },
  }),
);

function pathIn(round: HostRound, part: string): string {
  const looked = look(round, `agent.config.${part}`);
  return (looked.ok && /^--(?:file \S+|missing) (.*)/.exec(looked.text)?.[1]) || '';
}

function configScript(place: ConfigPlace): string {
  const unit = place.unit === null ? '' : quoteWord(place.unit);
  const usual = `/opt/viworks/current/etc/${place.part}.toml /etc/viworks/${place.part}.toml`;
  return `f=${quoteWord(place.file ?? '')}
${place.container === null ? 'r= P=' : `P=$($T docker inspect -f '{{.State.Pid}}' "$(${containerName(place.container)})" 2>/dev/null); r=/proc/$P/root`}
u=${unit}
if [ -z "$f" ] && [ -n "$u" ] && have systemctl; then
  f=$($T systemctl show --no-pager -p ExecStart "$u" | tr ' ' '\\n' | grep -E '\\.(toml|json|ya?ml|conf)$' | tail -n 1)
fi
[ -n "$f" ] || for c in ${usual}; do [ -e "$r$c" ] && { f=$c; break; }; done
[ -n "$f" ] || { echo '!absent no configuration file is named'; return; }
if [ ! -e "$r$f" ] && [ ! -L "$r$f" ] && [ -x "$r\${f%/*}" ]; then echo "--missing $f"; return; fi
w=; [ -n "$u" ] && have systemctl && w=$($T systemctl show --no-pager -p User "$u" 2>/dev/null | sed -n 's/^User=//p')
b=$(take "$r$f" "$w" "$P")
case $b in +*) echo "--file $(printf '%s\\n' "$b" | sed 's/^+//; s/ .*//; q') $f"; printf '%s\\n' "$b" | sed 1d;; *) echo "!permission $f: \${b#!refused }";; esac`;
}

/** What a gateway trusts: the bundle that its configuration names. The roots of the system are only read when it names none. */
export const trustProbe = defineProbe({
  id: 'tls.trust',
  title: "the gateway's trust",
  seats: ['gw'],
  capBytes: 512 * 1024,
  script: ({ config }) => `config_text() {
${configScript(config)}
}
f=$(config_text 2>/dev/null | sed -n 's/^[[:space:]]*\\(trust_file\\|ca_file\\|ca_cert\\|ca_bundle\\)[[:space:]]*=[[:space:]]*["'\\'']\\([^"'\\'']*\\).*/\\2/p' | head -n 1)
[ -n "$f" ] || f=$($T systemctl show --no-pager -p Environment ${quoteWord(config.unit ?? 'viworks-gateway-agent.service')} 2>/dev/null | tr ' ' '\\n' | sed -n 's/.*NODE_EXTRA_CA_CERTS=//p')
if [ -n "$f" ]; then
  w=$($T systemctl show --no-pager -p User ${quoteWord(config.unit ?? 'viworks-gateway-agent.service')} 2>/dev/null | sed -n 's/^User=//p')
  b=$(take "$f" "\${w:-root}" '' certs 0 by)
  case $b in +*) echo "--file bundle $f"; printf '%s\\n' "$b" | sed 1d;; *) echo "!permission $f: \${b#!refused }";; esac
else for f in /etc/ssl/certs/ca-certificates.crt /etc/pki/tls/certs/ca-bundle.crt /etc/ssl/cert.pem; do [ -r "$f" ] && { echo "--file system $f"; cat "$f"; return; }; done; fi`,
  facts: () => [],
});

/**
 * The certificates of the trust section; null when it could not be read, or when there is no configuration that would say that the
 * roots of the system are meant: then nobody knows what the agent trusts.
 */
export function trustOf(round: HostRound): { readonly bundle: string; readonly name: string } | null {
  const looked = look(round, 'tls.trust');
  if (!looked.ok) return null;
  const match = /^--file (bundle|system) (.*)\n/.exec(looked.text);
  if (!match) return null;
  const config = look(round, 'agent.config.gateway');
  const configured = config.ok && config.text.startsWith('--file ');
  if (match[1] === 'system' && !configured) return null;
  const name = match[1] === 'bundle' ? `bundle ${match[2]}` : `system roots of ${round.host}`;
  return { bundle: looked.text.slice(match[0].length), name };
}
