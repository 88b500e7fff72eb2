// What a sharp engineer would answer to a fault, and how far a report of the doctor is from it.
import type { Report } from '../../../../doctor/engine/index.ts';
import type { Answer, Break } from './break.ts';

/** `right`; `unsure`: says that it cannot tell; `wrong`: names something that is not there; `missed`: calls a broken system healthy. */
export type Grade = 'right' | 'unsure' | 'wrong' | 'missed';

/** Faults that go by another name than the cause that explains them. */
const otherNames: Readonly<Record<string, string>> = {
  'CFG-03-OLD': 'CFG-03',
  'NGX-15': 'BE-05',
  'OTHER-REDIRECT': 'NGX-26',
};

/** Nothing is broken now, something will be. */
const latent = new Set(['NGR-02', 'BE-19', 'EXP-01', 'EXP-02']);

/** Of the faults of the doctor's own way to a host these have to work as if nothing were wrong. */
const passable = new Set(['SSH-03']);

export function answerTo({ id, answer }: Pick<Break, 'id' | 'answer'>): Answer {
  if (answer) return answer;
  const code = otherNames[id] ?? id.replace(/-DOCKER$/, '');
  if (id.startsWith('TRAP-') || passable.has(id)) return { kind: 'healthy', code: null };
  if (id.startsWith('SSH-')) return { kind: 'sight', code };
  if (latent.has(id)) return { kind: 'latent', code };
  if (id.startsWith('OTHER-') && !(id in otherNames)) return { kind: 'unexplained', code: null };
  return { kind: 'cause', code };
}

/** Compares a report with the answer. */
export function grade(
  report: Pick<Report, 'causes' | 'latent' | 'sight' | 'verdict' | 'exitCode'>,
  answer: Answer,
): Grade {
  const codes = report.causes.map((cause) => cause.code);
  const wanted = answer.kind === 'cause' && answer.code !== null ? [answer.code] : [];
  if (codes.some((code) => !wanted.includes(code))) return 'wrong';
  if (answer.kind === 'cause') {
    if (codes.length > 0) return 'right';
    return report.verdict === 'healthy' ? 'missed' : 'unsure';
  }
  if (answer.kind === 'unexplained') return report.verdict === 'healthy' ? 'missed' : 'right';
  const list = answer.kind === 'latent' ? report.latent : answer.kind === 'sight' ? report.sight : null;
  if (list !== null && !list.some((cause) => cause.code === answer.code)) return 'unsure';
  if (answer.kind === 'sight') return 'right';
  return report.exitCode === 0 ? 'right' : 'unsure';
}
