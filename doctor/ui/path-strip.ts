// The picture nobody else has: the hops in their order with a mark each, the broken one bracketed. Pure.
import type { HopReport, HopState, Report } from '../engine/index.ts';
import { type Glyphs, type Line, lengthOf, type Piece, plainLetters } from './text.ts';

/** How long a detail may be beside its hop; what is longer stands in the evidence. */
const DETAIL = 14;

/** Lines of the strip, at most `max`; the gateway's id in front where there are several. */
export function pathStrip(report: Report | null, of: { width: number; glyphs: Glyphs; max: number }): readonly Line[] {
  if (!report) return [[{ text: 'checking …'.replace('…', of.glyphs.ellipsis), tone: 'dim' }]];
  const gateways = [...new Set(report.path.map((hop) => hop.gateway))];
  // Those that are broken first: they are what the screen was opened for.
  const broken = (gateway: string): number =>
    report.path.some((hop) => hop.gateway === gateway && hop.state === 'fail') ? 0 : 1;
  const ordered = [...gateways].sort((a, b) => broken(a) - broken(b));
  const lines = ordered.flatMap((gateway) => {
    const own = report.path.filter((hop) => hop.gateway === gateway && hop.state !== 'skipped');
    return flow(
      own.map((hop) => token(hop, of.glyphs)),
      gateways.length > 1 ? `${gateway} ` : '',
      of,
    );
  });
  return lines.slice(0, of.max);
}

function flow(
  tokens: readonly Line[],
  prefix: string,
  of: { readonly width: number; readonly glyphs: Glyphs },
): readonly Line[] {
  const join: Piece = { text: ` ${of.glyphs.dash} `, tone: 'dim' };
  const lines: Line[] = [];
  let line: Line = prefix === '' ? [] : [{ text: prefix, tone: 'strong' }];
  for (const [index, item] of tokens.entries()) {
    const joint = index === 0 ? [] : [join];
    if (index > 0 && lengthOf(line) + join.text.length + lengthOf(item) > of.width) {
      lines.push(line);
      line = [{ text: '  ' }, ...item];
    } else line = [...line, ...joint, ...item];
  }
  return [...lines, line];
}

function token(hop: HopReport, glyphs: Glyphs): Line {
  const detail = hop.detail !== '' && hop.detail.length <= DETAIL ? ` ${plainLetters(hop.detail, glyphs)}` : '';
  if (hop.state === 'fail')
    return [{ text: `${glyphs.open}${glyphs.fail} ${hop.label}${detail}${glyphs.close}`, tone: 'mark' }];
  const [glyph, tone] = marks(glyphs)[hop.state];
  return [
    { text: `${glyph} `, tone },
    { text: `${hop.label}${hop.state === 'ok-direct' ? '*' : ''}`, tone: hop.state === 'blocked' ? 'dim' : undefined },
  ];
}

function marks(glyphs: Glyphs): Readonly<Record<HopState, readonly [string, Piece['tone']]>> {
  return {
    ok: [glyphs.ok, 'good'],
    'ok-direct': [glyphs.ok, 'good'],
    fail: [glyphs.fail, 'bad'],
    blocked: [glyphs.blocked, 'dim'],
    unknown: [glyphs.unknown, 'warn'],
    skipped: [glyphs.blocked, 'dim'],
  };
}
