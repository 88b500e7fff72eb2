// `viworks doctor explain CODE`, offline: a cause as text, from the same data that the diagnosis runs on. Claims are made of facts, and
// there are none here: so it says what is looked at, not what would be seen.
import {
  type CauseRule,
  type Claim,
  createFactStore,
  createView,
  exampleTopology,
  type FactKey,
  factNames,
} from '../engine/index.ts';
import { labelled, wrap } from './text.ts';

const scopes = {
  active: 'breaks things now',
  latent: 'not causing an outage yet',
  sight: 'only limits what the doctor can see',
} as const;

export interface Catalogue {
  readonly causes: readonly CauseRule[];
  readonly checks: readonly { readonly id: string; readonly title: string }[];
}

/** One code; a code that several parts share is told once, by its first rule. */
export function explainCause(rule: CauseRule, { causes, checks }: Catalogue, width = 100): string {
  const remedy = rule.remedy(exampleView());
  const lookalikes = rule.lookalikes.map(({ code, title }) => {
    const known = causes.find((other) => other.code === code);
    return known ? `${code} ${known.name}` : (title ?? code);
  });
  const deeper = rule.followsFrom.map((code) => `${code} ${causes.find((other) => other.code === code)?.name ?? ''}`);
  const predicted = rule.predicts.flatMap((id) => checks.find((check) => check.id === id)?.title ?? []);
  const list = (label: string, items: readonly string[]) =>
    items.flatMap((text, index) => labelled(index === 0 ? label : '', text, width));
  const lines = [
    `${rule.code}  ${rule.name}`,
    `  ${rule.layer} · hop ${rule.hop} · ${scopes[rule.scope]}`,
    '',
    ...rule.help.split('\n').flatMap((line) => wrap(line, width)),
    '',
    ...list('looks', readBy([...rule.necessary, ...rule.signature, ...rule.forbids])),
    ...list('not', lookalikes),
    ...list('after', deeper),
    ...list('fails', predicted),
    ...labelled('fix', remedy.text, width),
    ...remedy.commands.map((command) => `          ${command}`),
    ...(remedy.commands.length > 0
      ? ['', `(${exampleTopology.backend.host.name}, gw1 and ${exampleTopology.serverName} stand for your own names)`]
      : []),
  ];
  return `${lines.join('\n')}\n`;
}

function exampleView() {
  return createView(createFactStore(), exampleTopology, exampleTopology.gateways[0] ?? null);
}

/** The kinds of facts that these signs ask for, in their order. */
function readBy(asked: readonly Claim[]): readonly string[] {
  const keys = new Set<FactKey>();
  for (const sign of asked) {
    const view = exampleView();
    sign.holds(view);
    for (const read of view.reads) keys.add(read.key);
  }
  return [...keys].map((key) => factNames[key]);
}
