// What the user's own ssh would do for a host, as `ssh -G` says it, and what of that ssh2 cannot do. Parsing and the decision are pure.
import { execFile } from 'node:child_process';
import { homedir, userInfo } from 'node:os';
import { join } from 'node:path';
import { describe, exists } from '../../agents/runtime/index.ts';
import { lackError } from './ends.ts';
import type { RemoteContext, RemoteTarget } from './target.ts';

/** Lines of `ssh -G`: lower-case keyword → its values; a keyword may come several times. */
export type SshConfig = ReadonlyMap<string, readonly string[]>;

/** What holds for one host. */
export interface Settings {
  readonly config: SshConfig;
  /** Keywords that differ from what OpenSSH does without any configuration. */
  readonly changed: readonly string[];
  /** Arguments that make ssh read the same files again; the home directory is the user's own. */
  readonly files: readonly string[];
  readonly home: string;
  /** Why the OpenSSH client cannot be used here; undefined when it can. */
  readonly noClient: string | undefined;
}

/** `ssh -G` reads files and runs `Match exec`; what takes longer than this hangs. In ms. */
const SSH_G_MS = 5_000;

/** Asks ssh what it would do for a target. A machine without OpenSSH has no configuration of it either. */
export async function readSettings(target: RemoteTarget, context: RemoteContext): Promise<Settings> {
  const home = context.env.HOME ?? homedir();
  const files = await filesOf(home);
  const host = ['-p', String(target.port), '-l', target.user, '--', target.alias ?? target.address];
  const [seen, plain] = await Promise.all([
    askSsh([...files, ...host], context),
    askSsh(['-F', 'none', ...host], context),
  ]);
  if (seen.missing) return { config: new Map(), changed: [], files, home, noClient: seen.reason };
  if (seen.reason !== undefined) {
    throw lackError('VW_REMOTE_SSH_CONFIG', target, { detail: { reason: seen.reason } });
  }
  const config = atHome(parseSshConfig(seen.text), home);
  return {
    config,
    changed: differences(config, atHome(parseSshConfig(plain.text), home)),
    files,
    home,
    noClient: undefined,
  };
}

/** Parses the output of `ssh -G`. */
export function parseSshConfig(text: string): SshConfig {
  const config = new Map<string, string[]>();
  for (const line of text.split('\n')) {
    const at = line.indexOf(' ');
    if (at < 0) continue;
    const key = line.slice(0, at).toLowerCase();
    config.set(key, [...(config.get(key) ?? []), line.slice(at + 1)]);
  }
  return config;
}

/** The keywords whose values are not the same in both. */
export function differences(config: SshConfig, plain: SshConfig): string[] {
  return [...config.keys()].filter((key) => config.get(key)?.join('\n') !== plain.get(key)?.join('\n'));
}

// Honoured by the connection that ssh2 makes, or without meaning for one that only runs commands.
const HARMLESS = new Set(
  `host hostname port user tag identityfile identitiesonly identityagent userknownhostsfile globalknownhostsfile stricthostkeychecking
  checkhostip hashknownhosts updatehostkeys visualhostkey verifyhostkeydns fingerprinthash nohostauthenticationforlocalhost loglevel logverbose syslogfacility batchmode
  numberofpasswordprompts passwordauthentication kbdinteractiveauthentication challengeresponseauthentication controlmaster
  controlpath controlpersist compression connecttimeout connectionattempts tcpkeepalive serveraliveinterval serveralivecountmax ipqos
  rekeylimit escapechar enableescapecommandline obscurekeystroketiming channeltimeout exitonforwardfailure clearallforwardings forwardagent
  forwardx11 forwardx11trusted forwardx11timeout xauthlocation gatewayports localforward remoteforward dynamicforward permitremoteopen
  streamlocalbindmask streamlocalbindunlink tunnel tunneldevice localcommand permitlocalcommand remotecommand requesttty sessiontype
  stdinnull forkafterauthentication sendenv setenv addkeystoagent ignoreunknown include proxyusefdpass
  gssapiauthentication gssapikeyexchange gssapidelegatecredentials gssapitrustdns gssapirenewalforcesrekey gssapikexalgorithms
  gssapiclientidentity gssapiserveridentity`.split(/\s+/),
);

/** What of the keys and the known hosts bears on the decision. */
export interface Findings {
  /** A user certificate, or a key on a security key: what it is, for people. */
  readonly special: string | undefined;
  /** `file:line` of a @cert-authority line for this host, when known_hosts decides. */
  readonly authority: string | undefined;
}

/**
 * Why the system's OpenSSH has to make the connection; undefined when ssh2 can. `must` tells a way that ssh2 cannot go at all from a key
 * that it cannot use beside others.
 */
export function whyOpenSsh(
  target: RemoteTarget,
  settings: Pick<Settings, 'changed'>,
  found: Findings,
): { readonly because: string; readonly must: boolean } | undefined {
  const pinned = target.hostKeys.length > 0;
  const aboutKnownHosts = new Set(['knownhostscommand', 'hostkeyalias', 'revokedhostkeys']);
  const beyond = settings.changed.filter((key) => !HARMLESS.has(key) && !(pinned && aboutKnownHosts.has(key)));
  if (beyond.length > 0) return { because: `the ssh configuration (${beyond.map(spelled).join(', ')})`, must: true };
  if (found.authority !== undefined && !pinned) {
    return { because: `the @cert-authority line ${found.authority}`, must: true };
  }
  return found.special === undefined ? undefined : { because: found.special, must: false };
}

const SPELLED: Readonly<Record<string, string>> = {
  proxyjump: 'ProxyJump',
  proxycommand: 'ProxyCommand',
  certificatefile: 'CertificateFile',
  hostkeyalias: 'HostKeyAlias',
  knownhostscommand: 'KnownHostsCommand',
  bindaddress: 'BindAddress',
  addressfamily: 'AddressFamily',
  pkcs11provider: 'PKCS11Provider',
};

function spelled(key: string): string {
  return SPELLED[key] ?? key;
}

/** The one value of a keyword; `none` counts as absent. */
export function settingOf(config: SshConfig, key: string): string | undefined {
  const value = config.get(key)?.[0];
  return value === undefined || value === 'none' ? undefined : value;
}

/** Paths of a keyword that takes a list of files, with the home directory and the usual tokens filled in. */
export function pathsOf(settings: Pick<Settings, 'config' | 'home'>, key: string, target: RemoteTarget): string[] {
  const lines = settings.config.get(key) ?? [];
  const words = key === 'identityfile' ? lines : lines.flatMap((line) => line.split(' '));
  return words.filter((word) => word !== 'none').map((word) => expand(word, settings.home, target));
}

function expand(path: string, home: string, target: RemoteTarget): string {
  const tokens: Readonly<Record<string, string>> = {
    '%%': '%',
    '%d': home,
    '%u': userInfo().username,
    '%r': target.user,
    '%h': target.address,
    '%n': target.alias ?? target.address,
    '%p': String(target.port),
  };
  return path.replace(/^~(?=\/)/, home).replace(/%[%a-zA-Z]/g, (token) => tokens[token] ?? token);
}

// ssh takes the home directory of the account, whatever HOME says; viworks keeps to HOME, as for its own files.
function atHome(config: SshConfig, home: string): SshConfig {
  const own = userInfo().homedir;
  if (own === home) return config;
  const moved = (value: string): string =>
    value
      .split(' ')
      .map((word) => (word.startsWith(`${own}/.ssh/`) ? join(home, word.slice(own.length)) : word))
      .join(' ');
  return new Map([...config].map(([key, values]) => [key, key === 'userknownhostsfile' ? values.map(moved) : values]));
}

async function filesOf(home: string): Promise<readonly string[]> {
  if (userInfo().homedir === home) return [];
  for (const file of [join(home, '.ssh/config'), '/etc/ssh/ssh_config']) {
    if (await exists(file)) return ['-F', file];
  }
  return ['-F', 'none'];
}

function askSsh(
  args: readonly string[],
  { env, signal }: RemoteContext,
): Promise<{ text: string; reason?: string; missing?: boolean }> {
  return new Promise((resolve, reject) => {
    execFile('ssh', ['-G', ...args], { env: { ...env }, signal, timeout: SSH_G_MS }, (error, stdout, stderr) => {
      if (signal.aborted) return reject(signal.reason);
      if (!error) return resolve({ text: stdout });
      if (error.code === 'ENOENT') return resolve({ text: '', reason: 'there is no ssh in PATH', missing: true });
      const [said] = stderr.trim().split('\n');
      resolve({ text: '', reason: said || (error.killed ? `no answer within ${SSH_G_MS} ms` : describe(error)) });
    });
  });
}
