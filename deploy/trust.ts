// Writes one pin into the text of an inventory, and leaves every other byte as it is. Pure.

/** Sets `host_key` below `[hosts.<name>]`: in its place when the key is there, else as the table's first line. */
export function pinHostKey(text: string, name: string, fingerprint: string): string {
  const lines = text.split('\n');
  const header = new RegExp(`^\\s*\\[\\s*hosts\\s*\\.\\s*"?${name.replace(/[.*+?^${}()|[\]\\]/g, '\\$&')}"?\\s*\\]`);
  const start = lines.findIndex((line) => header.test(line));
  if (start < 0) throw new Error(`there is no table [hosts.${name}]`);
  let end = lines.findIndex((line, index) => index > start && /^\s*\[/.test(line));
  if (end < 0) end = lines.length;
  const at = lines.findIndex((line, index) => index > start && index < end && /^\s*host_key\s*=/.test(line));
  if (at < 0) lines.splice(start + 1, 0, `host_key = "${fingerprint}"`);
  else lines[at] = (lines[at] as string).replace(/(host_key\s*=\s*)("[^"]*"|'[^']*'|\[[^\]]*\])/, `$1"${fingerprint}"`);
  return lines.join('\n');
}
