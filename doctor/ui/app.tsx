// The living screen: takes events in, keys in, and hands the outcome back. What is drawn is frame.tsx's, what keys mean is keys.ts's.
import { type Key, useApp, useInput, useWindowSize } from 'ink';
import { type ReactElement, useCallback, useEffect, useMemo, useReducer, useRef, useState } from 'react';
import { runtimeErrors } from '../../agents/runtime/index.ts';
import type { Report, RunEvent } from '../engine/index.ts';
import { copyText, itemsOf } from './cause-card.ts';
import { Frame, startState } from './frame.tsx';
import { type Press, press } from './keys.ts';
import { emptyModel, reduceModel } from './model.ts';
import type { Look } from './panes.tsx';

/** As much of a clock as a screen needs. */
export interface ScreenClock {
  now(): number;
  after(ms: number, callback: () => void): { cancel(): void };
}

export interface AppProps {
  readonly clock: ScreenClock;
  readonly look: Look;
  /** Looks once; resolves when the stream has ended. A replay looks at what was recorded. */
  examine(listen: (event: RunEvent) => void, signal: AbortSignal): Promise<void>;
  /** Every finished run, so that the last one can be printed when the screen is gone. */
  onReport(report: Report): void;
  /** Raw bytes to the terminal, for the clipboard. */
  write(bytes: string): void;
  readonly tmux: boolean;
}

/** How often the clock in the header moves while a run goes on, in ms. */
const TICK_MS = 250;
/** Terminals cut longer OSC 52 sequences off. */
const COPY_LIMIT = 74_000;

export function App(props: AppProps): ReactElement {
  const { clock, look, onReport } = props;
  const { exit } = useApp();
  const size = useWindowSize();
  const [model, dispatch] = useReducer(reduceModel, emptyModel);
  const [state, setState] = useState(startState);
  const [round, setRound] = useState(0);
  const [nowMs, setNow] = useState(clock.now());
  const controller = useRef(new AbortController());
  // A pty that does not know its size says 0.
  const columns = size.columns || 80;
  const rows = size.rows || 24;
  const { report } = model;
  const items = useMemo(() => (report ? itemsOf(report) : []), [report]);

  // One look a round; a new round begins with `r`.
  const lookOnce = props.examine;
  useEffect(() => {
    const own = new AbortController();
    controller.current = own;
    const listen = (event: RunEvent): void => {
      dispatch(event);
      if (event.type === 'run.end') onReport(event.report);
    };
    lookOnce(listen, own.signal).catch((error: unknown) => {
      if (!own.signal.aborted || round === 0) exit(error instanceof Error ? error : new Error(String(error)));
    });
    return () => own.abort(new Error('the screen was left'));
  }, [round, lookOnce, onReport, exit]);

  const running = report === null;
  useEffect(() => {
    if (!running) return;
    let timer = clock.after(TICK_MS, tick);
    function tick(): void {
      setNow(clock.now());
      timer = clock.after(TICK_MS, tick);
    }
    return () => timer.cancel();
  }, [clock, running]);

  const copy = useCallback((): string => {
    const item = items[state.selected];
    if (!item || !report) return '';
    const encoded = Buffer.from(copyText(item, report)).toString('base64');
    if (encoded.length > COPY_LIMIT) return 'too long for the clipboard of a terminal';
    const sequence = `\x1b]52;c;${encoded}\x07`;
    // tmux passes on only what is wrapped for it.
    props.write(props.tmux ? `\x1bPtmux;${sequence.replaceAll('\x1b', '\x1b\x1b')}\x1b\\` : sequence);
    return 'sent to the clipboard of the terminal (in tmux: set-clipboard on)';
  }, [items, state.selected, report, props]);

  useInput((input, key) => {
    const { state: next, act } = press(state, pressOf(input, key), {
      items: items.length,
      page: Math.max(1, rows - 10),
    });
    setState(act === 'copy' ? { ...next, notice: copy() } : next);
    if (act === 'quit') exit();
    if (act === 'interrupt') {
      // The first one shows what is known, the second one leaves.
      if (running && !controller.current.signal.aborted) controller.current.abort(stopped());
      else exit();
    }
    if (act === 'rerun' && !running) {
      setState(startState);
      setRound(round + 1);
    }
  });

  return <Frame model={model} state={state} items={items} columns={columns} rows={rows} nowMs={nowMs} look={look} />;
}

function pressOf(input: string, key: Key): Press {
  const names = [
    ['upArrow', 'up'],
    ['downArrow', 'down'],
    ['leftArrow', 'left'],
    ['rightArrow', 'right'],
    ['return', 'enter'],
    ['escape', 'escape'],
    ['tab', 'tab'],
    ['pageUp', 'pageUp'],
    ['pageDown', 'pageDown'],
    ['backspace', 'backspace'],
  ] as const;
  const name = names.find(([flag]) => key[flag])?.[1] ?? null;
  return { input, name, ctrl: key.ctrl };
}

/** In raw mode Ctrl-C is a key; it ends the run as the signal would. */
function stopped(): Error {
  return runtimeErrors.create('VW_RUNTIME_INTERRUPTED', { signal: 'SIGINT' });
}
