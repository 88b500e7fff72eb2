// The shape of what systemd itself knows about how a unit is set up: its files line by line, its conditions, what it depends on.
// Values only, no judgement. Times are milliseconds since the epoch by the observed host's clock.

/** One assignment as a unit's file has it, in the order in which systemd reads them: the fragment first, then the drop-ins. */
export interface UnitSetting {
  readonly file: string;
  readonly line: number;
  readonly section: string;
  readonly name: string;
  /** An empty value takes back what came before. Of Environment= only variables that steer a runtime keep their value. */
  readonly value: string;
}

/** A variable that steers the runtime of a program (NODE_OPTIONS, LD_PRELOAD, …), from Environment= or from a file of EnvironmentFile=. */
export interface RuntimeVariable {
  readonly name: string;
  readonly value: string;
  readonly file: string;
  readonly line: number;
}

/** Another unit that this one depends on or that can end it. `not-found` is a load state; it is never "not running". */
export interface RelatedUnit {
  /** `Requires`, `Requisite`, `BindsTo`, `PartOf`, `Conflicts`, `ConflictedBy`, `WantedBy`, `RequiredBy`. */
  readonly relation: string;
  readonly name: string;
  readonly loadState: string;
  readonly activeState: string;
  readonly subState: string;
  readonly result: string;
  readonly activeSinceMs: number | null;
  readonly inactiveSinceMs: number | null;
}

/** `systemctl show` and `systemctl status` of one unit, and the text of its files. */
export interface UnitSetup {
  /** Why systemd cannot use its files, in systemd's words; '' where it can. */
  readonly loadError: string;
  readonly dropIns: readonly string[];
  /** What kept the last start from happening, as the file words it: `ConditionPathExists=/etc/x`. */
  readonly unmet: readonly string[];
  /** ConditionResult and AssertResult of the last start; null where systemd does not say. */
  readonly conditionsMet: boolean | null;
  readonly assertsMet: boolean | null;
  readonly checkedAtMs: number | null;
  /** The unit's control group is frozen; null where it cannot be seen. */
  readonly frozen: boolean | null;
  readonly statusErrno: number;
  /** A job that waits or runs for it, by its number; null for none. */
  readonly job: number | null;
  /** Commands around the main one whose last run failed. */
  readonly failedCommands: readonly { readonly setting: string; readonly command: string; readonly status: string }[];
  /** EnvironmentFile= as systemd holds it; `exists` is null where that could not be looked up. */
  readonly environmentFiles: readonly {
    readonly path: string;
    readonly optional: boolean;
    readonly exists: boolean | null;
  }[];
  readonly settings: readonly UnitSetting[];
  /** Its files that were not read, because this user may not or because others decide what they hold; a setting that is not listed may be in one. */
  readonly unreadable: readonly { readonly path: string; readonly why: string }[];
  readonly variables: readonly RuntimeVariable[];
  readonly related: readonly RelatedUnit[];
}
