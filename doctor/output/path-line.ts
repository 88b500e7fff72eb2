// The path as one line of words: the picture of where it breaks.
import type { HopReport, Report } from '../engine/index.ts';
import type { Paint } from './text.ts';

const words: Readonly<Record<HopReport['state'], string>> = {
  ok: 'ok',
  'ok-direct': 'ok*',
  fail: 'FAIL',
  blocked: 'blocked',
  unknown: 'unknown',
  skipped: 'skipped',
};

/** The hops of each gateway, broken into lines of `width`; the gateway's id in front where there are several. */
export function pathLines(report: Report, paint: Paint, width: number): readonly string[] {
  const gateways = [...new Set(report.path.map((hop) => hop.gateway))];
  return gateways.flatMap((gateway) => {
    const own = report.path.filter((hop) => hop.gateway === gateway && hop.state !== 'skipped');
    const prefix = gateways.length > 1 ? `${gateway}: ` : '';
    const lines: string[] = [];
    let line = prefix;
    let length = prefix.length;
    for (const [index, hop] of own.entries()) {
      const arrow = index === 0 ? '' : ' → ';
      const text = `${hop.label} ${word(hop)}`;
      if (length + arrow.length + text.length > width) {
        lines.push(`${line} →`);
        line = '';
        length = 0;
      } else line += arrow;
      line += hop.state === 'fail' ? `${hop.label} ${paint('bad', word(hop))}` : text;
      length += arrow.length + text.length;
    }
    return [...lines, line];
  });
}

function word(hop: HopReport): string {
  return hop.state === 'fail' && hop.detail ? `FAIL[${hop.detail}]` : words[hop.state];
}

/** What the star means, where one is shown. */
export function directNote(report: Report): string | null {
  const starred = [...new Set(report.path.filter((hop) => hop.state === 'ok-direct').map((hop) => hop.label))];
  return starred.length > 0 ? `(* probed past the break: ${starred.join(', ')})` : null;
}
