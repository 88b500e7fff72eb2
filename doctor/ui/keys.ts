// What a key does to the screen's state. Pure: leaving, looking again and copying are told as an act and done elsewhere.
import type { ScreenState } from './frame.tsx';

/** A key press as far as the screen cares. */
export interface Press {
  readonly input: string;
  readonly name:
    | 'up'
    | 'down'
    | 'left'
    | 'right'
    | 'enter'
    | 'escape'
    | 'tab'
    | 'pageUp'
    | 'pageDown'
    | 'backspace'
    | null;
  readonly ctrl: boolean;
}

export type Act = 'quit' | 'interrupt' | 'rerun' | 'copy' | null;

export interface Pressed {
  readonly state: ScreenState;
  readonly act: Act;
}

/** More than any list is long: the panes hold it back to their last page. */
const END = 100_000;

export function press(state: ScreenState, key: Press, of: { readonly items: number; readonly page: number }): Pressed {
  const calm: ScreenState = { ...state, notice: '' };
  const to = (next: Partial<ScreenState>, act: Act = null): Pressed => ({ state: { ...calm, ...next }, act });
  const by = (lines: number): Pressed => to({ scroll: Math.max(0, state.scroll + lines) });
  if (key.ctrl && key.input === 'c') return to({}, 'interrupt');
  if (key.ctrl && key.input === 'd') return by(Math.ceil(of.page / 2));
  if (key.ctrl && key.input === 'u') return by(-Math.ceil(of.page / 2));
  if (key.ctrl) return to({});
  const back = to({ view: 'causes', scroll: 0 });
  const up = key.name === 'up' || key.input === 'k';
  const down = key.name === 'down' || key.input === 'j';
  if (up || down) {
    const moves = state.view === 'causes' && state.focus === 'card' && of.items > 1;
    if (!moves) return by(up ? -1 : 1);
    const selected = Math.max(0, Math.min(of.items - 1, state.selected + (up ? -1 : 1)));
    return to({ selected, scroll: 0 });
  }
  if (key.name === 'pageDown') return by(of.page);
  if (key.name === 'pageUp') return by(-of.page);
  if (key.name === 'enter' || key.name === 'right' || key.input === 'e') return to({ view: 'evidence', scroll: 0 });
  if (key.name === 'escape' || key.name === 'left' || key.name === 'backspace' || key.input === '1') return back;
  if (key.name === 'tab') return to({ focus: state.focus === 'card' ? 'evidence' : 'card', scroll: 0 });
  switch (key.input) {
    case 'q':
      return to({}, 'quit');
    case 'r':
    case 'R':
      return to({}, 'rerun');
    case 'y':
      return to({}, 'copy');
    case '2':
      return to({ view: 'checks', scroll: 0 });
    case '?':
      return state.view === 'help' ? back : to({ view: 'help', scroll: 0 });
    case 'g':
      return to({ scroll: 0 });
    case 'G':
      return to({ scroll: END });
    default:
      return to({});
  }
}
