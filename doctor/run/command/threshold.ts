// What counts as a failure of the run. The exit code is part of the report, so that no two outputs can tell different ones.
import type { Report } from '../../engine/index.ts';

export type FailOn = 'fault' | 'warn' | 'never';

export function withThreshold(report: Report, failOn: FailOn): Report {
  // A stopped run is no answer that a threshold could be laid on.
  if (report.exitCode > 128) return report;
  if (failOn === 'never') return { ...report, exitCode: 0 };
  if (failOn !== 'warn' || report.exitCode !== 0) return report;
  const warned = report.latent.length > 0 || report.verdicts.some((verdict) => verdict.state === 'warn');
  return warned ? { ...report, exitCode: 4 } : report;
}
