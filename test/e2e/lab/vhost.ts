// Edits of an nginx configuration as text: enough to take a location out or change what is in it. Pure.

interface Block {
  readonly start: number;
  readonly bodyStart: number;
  readonly bodyEnd: number;
  readonly end: number;
}

/** Finds `head {…}` with its matching brace; comments and quoted braces do not occur in what the lab edits. */
function findBlock(text: string, head: RegExp): Block | undefined {
  const match = head.exec(text);
  if (!match) return undefined;
  const open = text.indexOf('{', match.index);
  let depth = 0;
  for (let at = open; at >= 0 && at < text.length; at += 1) {
    if (text[at] === '{') depth += 1;
    if (text[at] === '}') depth -= 1;
    if (depth === 0) return { start: match.index, bodyStart: open + 1, bodyEnd: at, end: at + 1 };
  }
  return undefined;
}

const literal = (text: string) => text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&');
const locationHead = (path: string) => new RegExp(`^[ \\t]*location\\s+(?:[=~^*]+\\s+)?${literal(path)}\\s*\\{`, 'm');

function need(block: Block | undefined, what: string): Block {
  if (!block) throw new Error(`this nginx configuration has no ${what}`);
  return block;
}

export function withoutLocation(text: string, path: string): string {
  const block = need(findBlock(text, locationHead(path)), `location ${path}`);
  return text.slice(0, block.start) + text.slice(block.end);
}

export function editLocation(text: string, path: string, edit: (body: string) => string): string {
  const block = need(findBlock(text, locationHead(path)), `location ${path}`);
  return text.slice(0, block.bodyStart) + edit(text.slice(block.bodyStart, block.bodyEnd)) + text.slice(block.bodyEnd);
}

/** Removes every directive of a name, or those whose first argument is the given one. */
export function withoutDirective(body: string, name: string, first = ''): string {
  return body.replace(new RegExp(`^[ \\t]*${name}\\s+${first}\\b[^;]*;[^\\n]*\\n?`, 'gim'), '');
}

export function withDirective(body: string, directive: string): string {
  return `\n        ${directive}${body}`;
}

/** Changes the address in the location's `proxy_pass`. */
export function withTarget(text: string, path: string, target: string): string {
  return editLocation(text, path, (body) => body.replace(/proxy_pass\s+[^;]+;/, `proxy_pass ${target};`));
}

/** Puts lines at the start of the server block that serves TLS. */
export function inTlsServer(text: string, lines: string): string {
  const server = /^[ \t]*server\s*\{/gm;
  for (let match = server.exec(text); match; match = server.exec(text)) {
    const rest = text.slice(match.index);
    const block = need(findBlock(rest, /server\s*\{/), 'server');
    if (!/listen[^;]*\bssl\b/.test(rest.slice(block.bodyStart, block.bodyEnd))) continue;
    const at = match.index + block.bodyStart;
    return `${text.slice(0, at)}\n    ${lines}${text.slice(at)}`;
  }
  throw new Error('this nginx configuration has no server with TLS');
}

/** The map that says `upgrade` for an upgrade request and `close` otherwise, the wrong way round. */
export function withInvertedMap(text: string): string {
  const block = need(findBlock(text, /^[ \t]*map\s+\$http_upgrade\s+\$\w+\s*\{/m), 'map of $http_upgrade');
  const body = text.slice(block.bodyStart, block.bodyEnd);
  const swapped = body.replace(/\b(upgrade|close)\b/g, (word) => (word === 'upgrade' ? 'close' : 'upgrade'));
  return text.slice(0, block.bodyStart) + swapped + text.slice(block.bodyEnd);
}
