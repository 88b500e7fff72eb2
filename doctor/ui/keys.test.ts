// Keys → state and acts.
import { expect, test } from 'vitest';
import { type ScreenState, startState } from './frame.tsx';
import { type Act, type Press, press } from './keys.ts';

const key = (input: string, name: Press['name'] = null, ctrl = false): Press => ({ input, name, ctrl });
const of = { items: 3, page: 10 };

interface Case {
  readonly does: string;
  readonly from?: Partial<ScreenState>;
  readonly press: Press;
  readonly state?: Partial<ScreenState>;
  readonly act?: Act;
}

const cases: readonly Case[] = [
  { does: 'down selects the next cause', press: key('', 'down'), state: { selected: 1 } },
  { does: 'j does, too', press: key('j'), state: { selected: 1 } },
  { does: 'the last cause stays the last', from: { selected: 2 }, press: key('', 'down'), state: { selected: 2 } },
  { does: 'up at the top stays', press: key('k'), state: { selected: 0 } },
  {
    does: 'a new selection begins at its top',
    from: { scroll: 5 },
    press: key('', 'down'),
    state: { selected: 1, scroll: 0 },
  },
  {
    does: 'in the evidence pane the arrows scroll',
    from: { focus: 'evidence' },
    press: key('', 'down'),
    state: { scroll: 1 },
  },
  { does: 'Enter opens the evidence', press: key('', 'enter'), state: { view: 'evidence' } },
  { does: 'e opens the evidence', press: key('e'), state: { view: 'evidence' } },
  {
    does: 'Esc leads back',
    from: { view: 'evidence', scroll: 7 },
    press: key('', 'escape'),
    state: { view: 'causes', scroll: 0 },
  },
  { does: 'Tab goes to the other pane', press: key('', 'tab'), state: { focus: 'evidence' } },
  { does: 'a page down', from: { view: 'checks' }, press: key('', 'pageDown'), state: { scroll: 10 } },
  {
    does: 'a page up ends at the top',
    from: { view: 'checks', scroll: 3 },
    press: key('', 'pageUp'),
    state: { scroll: 0 },
  },
  { does: '? opens the keys and closes them', from: { view: 'help' }, press: key('?'), state: { view: 'causes' } },
  { does: '2 shows the checks', press: key('2'), state: { view: 'checks' } },
  { does: 'q leaves', press: key('q'), act: 'quit' },
  { does: 'r looks again', press: key('r'), act: 'rerun' },
  { does: 'y copies', press: key('y'), act: 'copy' },
  { does: 'Ctrl-C interrupts', press: key('c', null, true), act: 'interrupt' },
  { does: 'any key takes a notice away', from: { notice: 'sent' }, press: key('x'), state: { notice: '' } },
];

test.each(cases)('$does', ({ from = {}, press: pressed, state = {}, act = null }) => {
  const before = { ...startState, ...from };
  const after = press(before, pressed, of);
  expect(after.state).toMatchObject(state);
  expect(after.act).toBe(act);
});
