// What the run could not find out, by reason: which fact, on which host, why, and how to look by hand. What there was no need to ask is
// only told with --all. Projection only.
import type { Report, UnknownReport } from '../engine/index.ts';
import { labelled } from './text.ts';

const newToken =
  'sudo viworks backend token create --role probe --name doctor   (on the backend host), then --token-file FILE';
/** What helps against a reason as such; the others are helped by looking by hand. */
const steps: Readonly<Record<string, string>> = {
  'no-permission': 'log in as root, or add --sudo',
  'no-token': newToken,
  'token-refused': newToken,
  'forward-forbidden': 'set AllowTcpForwarding yes in the sshd_config of that host',
  timeout: 'run it again; the host was slow to answer',
  lost: 'run it again; the connection to that host broke',
  cut: 'run it again; the look at that host ended too early',
  'tool-missing': 'install what is named there',
};

/** How many facts of one reason are named before --all. */
const shown = 3;

export function unknownLines(report: Report, of: { readonly width: number; readonly all: boolean }): readonly string[] {
  const byReason = new Map<string, UnknownReport[]>();
  for (const item of report.unknowns.filter((one) => of.all || one.reason !== 'not-run'))
    byReason.set(item.reason, [...(byReason.get(item.reason) ?? []), item]);
  return [...byReason].flatMap(([reason, items]) => {
    const named = (of.all ? items : items.slice(0, shown)).map((item) => nameOf(item, report));
    const more = items.length - named.length;
    const text = [...named, ...(more > 0 ? [`${more} more (--all)`] : [])].join(', ');
    // Beside a cause that says what to do, what it hides is no work for anybody.
    const byHand = report.causes.length > 0 ? undefined : items.find((item) => item.command !== '')?.command;
    const step = steps[reason] ?? (byHand === undefined ? '' : `look by hand: ${byHand}`);
    return [
      '',
      ...labelled('UNKNOWN', `${reason}: ${text}`, of.width),
      // A command is never wrapped.
      ...(step === '' ? [] : [`  next  ${step}`]),
    ];
  });
}

function nameOf({ key, vantage, subject, detail, host }: UnknownReport, report: Report): string {
  const known = report.hosts.find((item) => item.host === vantage.replace(/\/ns:.*/, ''));
  const where = vantage === 'op' ? host : (known?.name ?? host);
  const of = subject === '' || subject === vantage ? '' : ` of ${subject}`;
  return `${key}${of}${where && where !== 'here' ? ` on ${where}` : where === 'here' ? ' from here' : ''}${detail ? ` (${detail})` : ''}`;
}
