// What is kept of an nginx configuration: the directives that a diagnosis can need, with their lines where they were. Of all others only
// the name stays, of blocks that nobody reads not even what is in them: programs, keys and passwords live there. Pure.

const KEPT_OUT = '[kept-out]';

/** Directives whose arguments are kept: where a request goes, who may send it, for how long, and how nginx itself runs. */
const kept =
  /^(?:include|user|pid|daemon|master_process|load_module|worker_\w+|events|http|server|server_\w+|listen|location|upstream|zone|keepalive\w*|least_conn|ip_hash|hash|random|map|geo|split_clients|map_hash_\w+|variables_hash_\w+|default_type|types|if|if_modified_since|set|set_real_ip_from|real_ip_\w+|return|rewrite|rewrite_log|break|try_files|root|alias|index|internal|error_page|error_log|access_log|log_format|log_not_found|recursive_error_pages|resolver\w*|proxy_\w+|grpc_pass|grpc_\w+_timeout|fastcgi_pass|uwsgi_pass|scgi_pass|ssl\w*|http2\w*|http3\w*|quic\w*|client_\w+|large_client_header_buffers|underscores_in_headers|ignore_invalid_headers|merge_slashes|absolute_redirect|port_in_redirect|limit_\w+|auth_basic\w*|auth_request|satisfy|allow|deny|send_timeout|lingering_\w+|reset_timedout_connection|tcp_\w+|sendfile\w*|gzip\w*|etag|expires|multi_accept|accept_mutex\w*|use|thread_pool|stub_status|stream|ssl_preread|mail)$/;

/** Blocks whose rows are no directives. */
const tables = /^(?:map|geo|split_clients)$/;
/** Blocks whose content nobody reads. */
const closed = /^(?:types|stream|mail)$/;
/** A table that is asked with something that a caller keeps secret has secrets for its rows. */
const secretSource = /key|token|secret|auth|passw|cookie|signature|jwt|session|credential/i;

interface Statement {
  readonly name: string;
  /** Everything between the name and what ends the statement. */
  readonly args: { readonly from: number; readonly to: number };
  readonly end: ';' | '{' | '}' | 'open quote' | '';
  /** Behind the end. */
  readonly next: number;
}

/** One file. Lines stay where they are; what cannot be read as nginx reads it is cut at that place. */
export function keepNginx(text: string): string {
  const out: string[] = [];
  let copied = 0;
  const cut = (from: number, to: number, instead: string): void => {
    const lines = text.slice(from, to).split('\n').length - 1;
    out.push(text.slice(copied, from), instead, '\n'.repeat(lines));
    copied = to;
  };
  for (let at = 0; at < text.length; ) {
    const { name, args, end, next } = statementAt(text, at);
    if (end === 'open quote') {
      cut(args.from, text.length, '"');
      break;
    }
    const known = name === '' || kept.test(name);
    if (!known && args.to > args.from) cut(args.from, args.to, KEPT_OUT);
    at = next;
    if (end !== '{' || (known && !closed.test(name) && !tables.test(name))) continue;
    const body = blockEnd(text, next);
    const source = text.slice(args.from, args.to);
    // A table without its rows decides nothing; with this row that is plain to whoever reads it.
    if (!tables.test(name)) cut(next, body, '');
    else if (secretSource.test(source)) cut(next, body, ' hostnames; ');
    at = body;
  }
  out.push(text.slice(copied));
  return out.join('');
}

/** All files of the section, each behind its line `--NONCE mtime path`. */
export function keepNginxFiles(text: string, nonce: string): string {
  const mark = `\n--${nonce} `;
  const [head = '', ...files] = text.split(mark);
  const shown = files.map((file) => {
    const line = file.indexOf('\n') + 1;
    const body = file.slice(line);
    return line === 0 || body.startsWith('!unreadable') ? file : file.slice(0, line) + keepNginx(body);
  });
  return [head, ...shown].join(mark);
}

function statementAt(text: string, start: number): Statement {
  let at = skipBlank(text, start);
  let name = '';
  let from = -1;
  let to = at;
  for (;;) {
    const char = text[at];
    const args = { from: from < 0 ? to : from, to };
    if (char === undefined) return { name, args, end: '', next: text.length };
    if (char === ';' || char === '{' || char === '}') return { name, args, end: char, next: at + 1 };
    const end = wordEnd(text, at);
    if (end < 0) return { name, args: { from: at, to: text.length }, end: 'open quote', next: text.length };
    if (name === '') name = text.slice(at, end).slice(0, 128);
    else if (from < 0) from = at;
    to = end;
    at = skipBlank(text, end);
  }
}

function skipBlank(text: string, from: number): number {
  let at = from;
  for (; at < text.length; at += 1) {
    const char = text[at] ?? '';
    if (char === '#') {
      const line = text.indexOf('\n', at);
      if (line < 0) return text.length;
      at = line;
    } else if (!/\s/.test(char)) break;
  }
  return at;
}

/** Behind the word that begins here; -1 for a quote that is never closed. */
function wordEnd(text: string, from: number): number {
  const quote = text[from];
  const quoted = quote === '"' || quote === "'";
  for (let at = from + (quoted ? 1 : 0); at < text.length; at += 1) {
    const char = text[at] ?? '';
    if (char === '\\') at += 1;
    else if (quoted ? char === quote : /[\s;]/.test(char) || (char === '{' && text[at - 1] !== '$'))
      return quoted ? at + 1 : Math.max(at, from + 1);
  }
  return quoted ? -1 : text.length;
}

/** Where the block that began before `from` closes: at its `}`. */
function blockEnd(text: string, from: number): number {
  let depth = 1;
  for (let at = from; at < text.length; ) {
    const { end, next } = statementAt(text, at);
    if (end === '{') depth += 1;
    if (end === '}') depth -= 1;
    if (depth === 0) return next - 1;
    at = next;
  }
  return text.length;
}
