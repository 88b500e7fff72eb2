// What a cause rule is: data. Necessary signs refute it when absent, the signature proves it, look-alikes name the sign that separates them.
import type { HopId } from './path.ts';
import type { Remedy } from './report.ts';
import type { Sign } from './sign.ts';
import type { View } from './view.ts';

export interface LookAlike {
  /** Catalogue code, or a plain symptom code that is not a cause. */
  readonly code: string;
  /** For codes that have no rule of their own. */
  readonly title?: string;
  /** Holds when it is this cause and not the look-alike. */
  readonly separator: Sign;
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
  readonly title: (view: View) => string;
  /** All must hold for the cause to be named; one that does not refutes it. */
  readonly necessary: readonly Sign[];
  /** With all of these as well it is proven. One that is known not to hold keeps it from being proven. */
  readonly signature: readonly Sign[];
  /** Shown as evidence when they hold; they decide nothing. */
  readonly supports: readonly Sign[];
  /** One that holds eliminates the cause, and is the reason given. */
  readonly forbids: readonly Sign[];
  readonly lookalikes: readonly LookAlike[];
  /** Ids of the checks whose failure it explains. */
  readonly predicts: readonly string[];
  /** Codes of deeper causes that this one follows from; it then becomes a link of their chain. */
  readonly followsFrom: readonly string[];
  readonly remedy: (view: View) => Remedy;
  /** What `doctor explain CODE` prints: what happens, how it is told from its look-alikes, how to mend it for good. */
  readonly help: string;
}

type Optional = 'forbids' | 'supports' | 'lookalikes' | 'followsFrom' | 'signature' | 'scope' | 'per' | 'title';

/** Declares one row of the catalogue. */
export function defineCause(
  rule: Omit<CauseRule, Optional> & {
    readonly title: string | ((view: View) => string);
  } & Partial<Omit<Pick<CauseRule, Optional>, 'title'>>,
): CauseRule {
  const { title } = rule;
  return {
    forbids: [],
    supports: [],
    lookalikes: [],
    followsFrom: [],
    signature: [],
    scope: 'active',
    per: 'site',
    ...rule,
    title: typeof title === 'string' ? () => title : title,
  };
}
