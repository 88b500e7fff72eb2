// Takes secrets out of what hosts say, before it is parsed, shown or written. What stays is enough to diagnose with. Pure.

const REDACTED = '[redacted]';

// Names whose value is a secret wherever they stand: TOML, JSON, environment, nginx directives, log fields. Paths to secrets are none.
const secretName =
  /((?:^|[\s"'{,;&?=])(?:[\w.-]*(?:password|passwd|passphrase|secret|api[_-]?key|private[_-]?key|access[_-]?key|auth[_-]?key|token)|pwd)["']?\s*[=:]\s*)("(?:[^"\\\n]|\\.)*"|'[^'\n]*'|[^\s,;}&"']+)/gim;

// An unquoted value may end in what only looks like part of it.
const harmless = /^["']?(?:true|false|null|\d{1,6}|\/[^"']*|\$\{?\w+\}?)["']?$/;

/** The same text without secrets. Lines keep their number and order, so that a line number still points to the right place. */
export function redactText(text: string): string {
  return text
    .replace(/-----BEGIN ([A-Z ]*PRIVATE KEY)-----[\s\S]*?-----END \1-----/g, (block) =>
      [
        `-----${REDACTED} PRIVATE KEY-----`,
        ...block
          .split('\n')
          .slice(1)
          .map(() => ''),
      ].join('\n'),
    )
    .replace(/\b((?:proxy-)?authorization["']?\s*[:=]\s*["']?)([^\n"']+)/gi, `$1${REDACTED}`)
    .replace(/\b((?:set-)?cookie["']?\s*:\s*["']?)([^\n"']+)/gi, `$1${REDACTED}`)
    .replace(/\b(bearer\s+)[\w.~+/-]{8,}=*/gi, `$1${REDACTED}`)
    .replace(/\b([a-z][a-z0-9+.-]*:\/\/)[^\s/@:"']+:[^\s/@"']+@/gi, `$1${REDACTED}@`)
    .replace(/(--?(?:token|password|secret|api-key)[= ])(\S+)/gi, (whole, name: string, value: string) =>
      harmless.test(value) ? whole : `${name}${REDACTED}`,
    )
    .replace(secretName, (whole, name: string, value: string) => {
      if (harmless.test(value)) return whole;
      const mark = /^["']/.exec(value)?.[0] ?? '';
      return `${name}${mark}${REDACTED}${mark}`;
    });
}
