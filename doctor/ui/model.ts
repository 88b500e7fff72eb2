// What the screen knows of a run: a projection of the event stream and nothing else. Pure.
import type { Report, RunEvent } from '../engine/index.ts';

export interface HostMark {
  readonly id: string;
  readonly name: string;
  readonly state: 'connecting' | 'ready' | 'unreachable' | 'done';
  readonly detail: string;
}

export interface ScreenModel {
  readonly name: string;
  readonly startedAtMs: number;
  readonly hosts: readonly HostMark[];
  readonly probesDone: number;
  /** Titles of the probes that are under way, oldest first. */
  readonly open: readonly { readonly key: string; readonly title: string; readonly sinceMs: number }[];
  /** Checks that are decided while the run goes on, by check and gateway: whether each passes. */
  readonly decided: ReadonlyMap<string, boolean>;
  readonly report: Report | null;
}

export const emptyModel: ScreenModel = {
  name: '',
  startedAtMs: 0,
  hosts: [],
  probesDone: 0,
  open: [],
  decided: new Map(),
  report: null,
};

export function reduceModel(model: ScreenModel, event: RunEvent): ScreenModel {
  switch (event.type) {
    case 'run.start':
      // Told again when the hosts told more about the installation; only the first one begins a run.
      if (model.name !== '' && model.report === null && model.startedAtMs === event.atMs) return model;
      return { ...emptyModel, name: event.topology.name, startedAtMs: event.atMs };
    case 'host.state': {
      const mark: HostMark = { id: event.host, name: event.name, state: event.state, detail: event.detail };
      const known = model.hosts.some((host) => host.id === event.host);
      const kept = model.hosts.map((host) => (host.id === event.host ? (event.state === 'done' ? host : mark) : host));
      return { ...model, hosts: known ? kept : [...kept, mark] };
    }
    case 'probe.start': {
      const key = `${event.probe} ${event.vantage}`;
      return { ...model, open: [...model.open, { key, title: event.title, sinceMs: event.atMs }] };
    }
    case 'probe.end': {
      const key = `${event.probe} ${event.vantage}`;
      return { ...model, probesDone: model.probesDone + 1, open: model.open.filter((item) => item.key !== key) };
    }
    case 'verdict': {
      const { check, gateway, state } = event.verdict;
      if (state !== 'pass' && state !== 'fail') return model;
      return { ...model, decided: new Map(model.decided).set(`${check} ${gateway}`, state === 'pass') };
    }
    case 'run.end':
      return { ...model, open: [], report: event.report };
    default:
      return model;
  }
}
