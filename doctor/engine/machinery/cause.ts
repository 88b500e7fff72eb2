// What a cause rule is: data. Necessary signs refute it when absent, the signature proves it, look-alikes name the sign that separates them.
// A file of doctor/causes writes its rows as `causesOf({ layer, hop, host, … }, { 'BE-15': { name, title, necessary, … }, … })`. A code with
// several rows (active and latent, one for each host) gives a list. `lookalikes` is a record: `{ 'BE-05': separator, loop: ['a title', separator] }`.

import type { Program } from '../signs/index.ts';
import type { Claim, HopId, Remedy, Sign, View } from '../vocabulary/index.ts';

export interface LookAlike {
  /** Catalogue code, or a plain symptom code that is not a cause. */
  readonly code: string;
  /** For codes that have no rule of their own. */
  readonly title?: string;
  /** Holds when it is this cause and not the look-alike. */
  readonly separator: Claim;
}

export type CauseLayer =
  | 'host'
  | 'backend'
  | 'docker'
  | 'nginx'
  | 'tls'
  | 'network'
  | 'gateway'
  | 'configuration'
  | 'commands'
  | 'access';

export interface CauseRule {
  /** The catalogue's code, for ever. */
  readonly code: string;
  /** A short noun phrase, free of facts: what it is called when it is *not* the cause. */
  readonly name: string;
  readonly layer: CauseLayer;
  readonly hop: HopId;
  /** One cause for the installation, or one for each gateway that has it. */
  readonly per: 'site' | 'gateway';
  /** `active`: breaks something now; `latent`: will; `sight`: only keeps the doctor from looking. */
  readonly scope: 'active' | 'latent' | 'sight';
  readonly host: 'be' | 'gw';
  /** The program whose behaviour it speaks of: then it is proven only where the kernel says that this program holds the port that answered. */
  readonly about?: Program;
  readonly title: (view: View) => string;
  /** All must hold for the cause to be named; one that fails refutes it, and its second sentence is the reason given. */
  readonly necessary: readonly Sign[];
  /** With all of these as well it is proven. One that is known not to hold keeps it from being proven. */
  readonly signature: readonly Claim[];
  /** Shown as evidence when they hold; they decide nothing. */
  readonly supports: readonly Claim[];
  /** One that holds eliminates the cause, and is the reason given. */
  readonly forbids: readonly Claim[];
  readonly lookalikes: readonly LookAlike[];
  /** Ids of the checks whose failure it explains. */
  readonly predicts: readonly string[];
  /** What is reached is another place: what was seen behind it speaks of that place, and follows from this cause. */
  readonly leadsAway: boolean;
  /** Codes of deeper causes that this one follows from; it then becomes a link of their chain. */
  readonly followsFrom: readonly string[];
  readonly remedy: (view: View) => Remedy;
  /** What `doctor explain CODE` prints: what happens, how it is told from its look-alikes, how to mend it for good. */
  readonly help: string;
}

/** What the causes of one file have in common. A row that says otherwise wins. */
export interface CauseDefaults
  extends Pick<CauseRule, 'layer' | 'hop' | 'host'>,
    Partial<Pick<CauseRule, 'per' | 'scope' | 'predicts' | 'about'>> {}

/** One row of the catalogue as it is written. What is left out comes from the defaults, or is empty. */
export interface CauseRow
  extends Pick<CauseRule, 'name' | 'necessary' | 'remedy' | 'help'>,
    Partial<CauseDefaults & Pick<CauseRule, 'signature' | 'supports' | 'forbids' | 'followsFrom' | 'leadsAway'>> {
  readonly title: string | ((view: View) => string);
  /** By code: the sign that separates; for a code without a rule of its own its title comes first. */
  readonly lookalikes?: Readonly<Record<string, Claim | readonly [title: string, separator: Claim]>>;
}

/** Declares the rows of one file. What happens on a gateway is one cause for each gateway, unless `per` says otherwise. */
export function causesOf(
  defaults: CauseDefaults,
  rows: Readonly<Record<string, CauseRow | readonly CauseRow[]>>,
): readonly CauseRule[] {
  const all = Object.entries(rows).flatMap(([code, row]) => [row].flat().map((one) => [code, one] as const));
  return all.map(([code, written]) => {
    const row = { ...defaults, ...written };
    const { title, lookalikes = {} } = row;
    return {
      signature: [],
      supports: [],
      forbids: [],
      followsFrom: [],
      leadsAway: false,
      predicts: [],
      scope: 'active',
      per: row.host === 'gw' ? 'gateway' : 'site',
      ...row,
      code,
      title: typeof title === 'string' ? () => title : title,
      lookalikes: Object.entries(lookalikes).map(([other, by]) =>
        'holds' in by ? { code: other, separator: by } : { code: other, title: by[0], separator: by[1] },
      ),
    };
  });
}
