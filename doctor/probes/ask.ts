// What a run knows of a host before it looks: which parts it is expected to have, and where they are looked for.
import type { Part, Vantage } from '../engine/index.ts';

/** A part and the unit that is expected to run it. */
export interface PartUnit {
  readonly part: Part;
  /** Null where nothing supervises it: then its process is looked for by its command line. */
  readonly unit: string | null;
}

/** A container by its name, or the first one whose name or image speaks of the part. */
export interface ContainerRef {
  readonly part: 'backend' | 'nginx' | 'gateway';
  readonly name: string | null;
}

/** A part that is meant to run in a container. */
export interface PartContainer extends ContainerRef {
  readonly ports: readonly number[];
  readonly vantage: Vantage;
}

/** Where nginx is looked for. */
export interface NginxPlace {
  /** Its container, or null on the host itself. */
  readonly container: ContainerRef | null;
  /** The unit that runs it; null where nothing does. */
  readonly unit: string | null;
  /** Its main file when it is not the usual one (a private nginx of `viworks up`, which runs as its user). */
  readonly entry: string | null;
}

/** Which configuration is looked for: by the unit's command line, else in the usual places. */
export interface ConfigPlace {
  readonly part: Part & ('backend' | 'gateway');
  readonly unit: string | null;
  /** A file that is known beforehand (`viworks up`). */
  readonly file: string | null;
  /** Its container, when it runs in one: the file is then read from inside. */
  readonly container: ContainerRef | null;
}

export interface Ask {
  readonly seat: 'be' | 'gw';
  readonly serverName: string;
  readonly units: readonly PartUnit[];
  /** Parts that systemd does not run, and what does. */
  readonly elsewhere: readonly { readonly part: Part; readonly by: string }[];
  /** Ports whose holders are looked at. */
  readonly ports: readonly number[];
  /** Ports of the backend that a gateway may hold a connection to. */
  readonly dialled: readonly number[];
  /** Whether containers are listed, also where no part is known to run in one. */
  readonly docker: boolean;
  readonly containers: readonly PartContainer[];
  /** Null in an installation without nginx. */
  readonly nginx: NginxPlace | null;
  readonly config: ConfigPlace;
}
