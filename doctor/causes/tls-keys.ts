// Causes in keys and certificates that someone other than the usual client of TLS looks at: the client certificates of agents, pinned keys, and
// a key that nginx cannot load. Proven by the words of the program that turned it down.
import {
  type CauseRow,
  type CauseRule,
  causesOf,
  judge,
  type Sign,
  sign,
  signs,
  type Tri,
  type View,
} from '../engine/index.ts';
import { foundInLog } from './log-finds.ts';
import { gatewayUnit, nginxCommand, on, remedy } from './texts.ts';

const { gateway, logs, nginx, parts } = signs;
const reload = (view: View) => on(view, 'be', nginxCommand(view, 'reload'));

const verifyError = /client SSL certificate verify error: \((\d+):([^)]*)\)/;

/** The newest reason for which nginx turned down a client certificate on the agents' path. */
function turnedDown(view: View): { readonly code: number; readonly words: string } | null {
  const asked = `"GET ${view.topology.path} `;
  const lines = view.value('log.tail', 'be', 'nginx-error')?.lines ?? [];
  const line = lines.findLast(
    (item) => verifyError.test(item.text) && item.text.includes(asked) && logs.isRecent(view, 'be', item),
  );
  const [, code, words = ''] = verifyError.exec(line?.text ?? '') ?? [];
  return code === undefined ? null : { code: Number(code), words };
}

function refusedWith(codes: readonly number[]): Sign {
  return foundInLog({
    log: ['be', 'nginx-error'],
    find: turnedDown,
    text: ({ words, code }) => `nginx rejects the client certificate of an agent: ${words} (${code})`,
    none: 'nginx names no client certificate that it rejects',
    test: ({ code }) => codes.includes(code),
  });
}

const settingText = (view: View, name: string) => {
  const found = nginx.routeOf(view)?.settings.find((item) => item.directive === name);
  return found ? `${name} ${found.value} (${nginx.placeText(found)})` : name;
};
const demandsOne = nginx.routeIs(
  [(_route, view) => settingText(view, 'ssl_verify_client'), () => 'nginx asks for no client certificate'],
  (route) => route.settings.some((item) => item.directive === 'ssl_verify_client' && item.value !== 'off'),
);

/** OpenSSL's numbers: outside of its validity; signed by someone who is not trusted. */
const outOfTime = [9, 10];
const unknownIssuer = [2, 7, 18, 19, 20, 21, 22, 24, 27];

/** A client certificate that is sent and rejected: then none is missing. */
export const clientCertificateRejected = refusedWith([...outOfTime, ...unknownIssuer]);

const rejected = (
  of: Pick<CauseRow, 'name' | 'remedy' | 'help'> & { readonly title: string; readonly codes: readonly number[] },
): CauseRow => ({
  name: of.name,
  about: 'nginx',
  hop: 'route',
  title: (view) => `${of.title}: ${turnedDown(view)?.words ?? ''}`,
  necessary: [gateway.linkDown, refusedWith(of.codes), demandsOne],
  signature: [nginx.nginxRuns],
  forbids: [gateway.linkUp],
  lookalikes: { 'TLS-06': refusedWith(of.codes), 'TLS-01': refusedWith(of.codes) },
  predicts: ['nginx.agents.upgrades', 'network.agents.upgrades', 'agents.link.up', 'agents.registry.online'],
  remedy: of.remedy,
  help: of.help,
});

const pinWords =
  /\b(pin|pins|pinned|spki|fingerprint)\b[^\n]*\b(mismatch|changed|differs?|does ?n.t match|does not match|failed|unexpected)\b|\b(mismatch|unexpected)\b[^\n]*\b(pin|spki|fingerprint)\b/i;

const pinLine = (view: View) =>
  view
    .value('log.tail', 'gw', 'gateway')
    ?.lines.findLast((line) => pinWords.test(line.text) && logs.isRecent(view, 'gw', line));
const pinFails = sign(
  [
    (view) => `the agent's log says: ${logs.excerpt(pinLine(view)?.text ?? '')}`,
    "the agent's log mentions no pin that does not fit",
  ],
  (view) =>
    judge(view, ['log.tail', 'gw', 'gateway'], (tail): Tri => {
      if (!pinLine(view)) return tail.truncated ? 'unknown' : 'no';
      return tail.sinceMs === null ? 'unknown' : 'yes';
    }),
);

const cannotLoad = /\[emerg\].*cannot load certificate(?: key)? "([^"]+)"/;
const keyFile = (view: View) => cannotLoad.exec(nginx.emergency(view, cannotLoad) ?? '')?.[1] ?? 'the key';
const whyNot = (view: View) =>
  /(Permission denied|No such file or directory|no start line|bad decrypt)/.exec(
    nginx.emergency(view, cannotLoad) ?? '',
  )?.[1] ?? 'see its [emerg] line';
/** nginx cannot load a certificate or its key. */
export const keyNotLoaded = nginx.saysEmergency(cannotLoad);

export const tlsKeyCauses: readonly CauseRule[] = causesOf(
  { layer: 'tls', hop: 'tls', host: 'be' },
  {
    'TLS-07': rejected({
      name: 'client certificate out of date',
      codes: outOfTime,
      title: 'the client certificate of the agent is out of date',
      remedy: (view) =>
        remedy('renew the client certificate of the agent, and whatever should have renewed it', [
          ...on(view, 'gw', `systemctl restart ${gatewayUnit(view)}`),
        ]),
      help: `nginx asks for a client certificate (ssl_verify_client), the agent sends one, and its validity is over or has not begun. nginx answers 400 "The SSL certificate error"; the reason is in its error log at level info: "client SSL certificate verify error: (10:certificate has expired)". The server's own certificate has nothing to do with it.`,
    }),
    'TLS-08': rejected({
      name: 'client certificate of another authority',
      codes: unknownIssuer,
      title: 'nginx does not trust the issuer of the client certificate of the agent',
      remedy: (view) =>
        remedy(
          `issue the client certificate from an authority in ${settingText(view, 'ssl_client_certificate')}, or add its issuer there`,
          [...on(view, 'be', 'nginx -T | grep -n ssl_client_certificate'), ...reload(view)],
        ),
      help: `The agent sends a client certificate, and nginx finds no way from it to an authority in ssl_client_certificate: another authority issued it, or an intermediate is missing. nginx answers 400 "The SSL certificate error" and says why at level info. An expired one has its own number (10).`,
    }),
    'TLS-09': {
      name: 'pinned key changed',
      host: 'gw',
      title: (view) => {
        const served = view.value('tls.certificate', 'gw', 'public')?.chain[0];
        return `the agent pins a key that nginx no longer shows${served ? ` (it shows ${served.subject}, SHA-256 ${served.sha256.slice(0, 16)}…)` : ''}`;
      },
      necessary: [
        parts.runs(parts.gatewayPart),
        gateway.linkDown,
        pinFails,
        gateway.verification('gw', 'accepts the certificate itself', (code) => code === 'OK'),
      ],
      signature: [gateway.gatewayUpgrades],
      forbids: [gateway.linkUp],
      lookalikes: {
        'TLS-05': gateway.verification('gw', 'accepts the certificate itself', (code) => code === 'OK'),
        loop: ['the network keeps it from connecting', gateway.gatewayUpgrades],
      },
      predicts: ['agents.link.up', 'agents.registry.online'],
      remedy: (view) =>
        remedy('update the pin on the gateway to the new key, and keep a second pin for the next renewal', [
          ...on(view, 'gw', `systemctl restart ${gatewayUnit(view)}`),
        ]),
      help: `The certificate is valid and every other client accepts it; this agent compares its key with one that it was given, and a renewal made a new key. Renewing again does not help. Keep the key across renewals, or pin the next one beside it.`,
    },
    'TLS-12': {
      name: 'key cannot be loaded',
      about: 'nginx',
      hop: 'route',
      scope: 'latent',
      predicts: [],
      title: (view) => `nginx cannot load ${keyFile(view)} (${whyNot(view)}), and still serves what it loaded before`,
      necessary: [nginx.nginxRuns, keyNotLoaded],
      remedy: (view) =>
        remedy('put the file where nginx looks for it, readable for the user of its master, then load it', [
          ...on(view, 'be', `ls -l ${keyFile(view)}`),
          ...reload(view),
        ]),
      help: `A renewal moved the key, or wrote it for another user; the reload was refused, and the workers keep the old pair. Nothing is out until that certificate expires, or until something restarts nginx.`,
    },
  },
);
