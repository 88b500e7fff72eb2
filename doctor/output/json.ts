// The report as one JSON document; its shape is report.schema.json and is versioned by the `schema` field.
import type { Report } from '../engine/index.ts';

export function renderJson(report: Report): string {
  return `${JSON.stringify(report, null, 2)}\n`;
}
