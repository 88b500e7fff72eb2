// The whole screen for one state: header, path strip, panes, keys. A function of its properties; all input is handled in app.tsx.
import { Box } from 'ink';
import type { ReactElement } from 'react';
import { verdictWords } from '../engine/index.ts';
import { cardLines, evidenceLines, type Item } from './cause-card.ts';
import type { ScreenModel } from './model.ts';
import { Lines, type Look, numbered, Pane, Row } from './panes.tsx';
import { pathStrip } from './path-strip.ts';
import { type Line, lengthOf, plainLetters } from './text.ts';
import { checkLines, helpLines, type ViewName } from './views.ts';

export interface ScreenState {
  readonly view: ViewName;
  readonly selected: number;
  readonly focus: 'card' | 'evidence';
  readonly scroll: number;
  readonly notice: string;
}

export const startState: ScreenState = { view: 'causes', selected: 0, focus: 'card', scroll: 0, notice: '' };

export interface FrameProps {
  readonly model: ScreenModel;
  readonly state: ScreenState;
  readonly items: readonly Item[];
  readonly columns: number;
  /** Of the terminal; the frame leaves the last one free. */
  readonly rows: number;
  readonly nowMs: number;
  readonly look: Look;
}

/** Side by side from here on; below it the evidence stands under the card. */
const WIDE = 120;
/** Below this one pane at a time. */
const NARROW = 80;
/** Rows below which two panes on top of each other show too little of both: the card alone, with its fix; the evidence is one key away. */
const SHORT = 30;

export function Frame(props: FrameProps): ReactElement {
  const { model, columns, look } = props;
  const height = Math.max(8, props.rows - 1);
  const strip = pathStrip(model.report, { width: columns - 2, glyphs: look.glyphs, max: 4 });
  const body = height - 2 - strip.length;
  return (
    <Box flexDirection="column" width={columns} height={height}>
      <Row line={header(props)} width={columns} look={look} />
      {numbered(strip).map(({ at, item }) => (
        <Row key={at} line={[{ text: ' ' }, ...item]} width={columns} look={look} />
      ))}
      <Body {...props} height={body} />
      <Row line={footer(props)} width={columns} look={look} />
    </Box>
  );
}

function header({ model, nowMs, columns, look }: FrameProps): Line {
  const { report } = model;
  const { glyphs } = look;
  const name: Line = [{ text: ` ${plainLetters(model.name, glyphs)}  `, tone: 'strong' }];
  const hosts: Line = model.hosts.flatMap((host): Line => {
    const tone = host.state === 'unreachable' ? 'bad' : host.state === 'connecting' ? 'warn' : 'good';
    const word = host.state === 'unreachable' ? ' not seen' : host.state === 'connecting' ? ' …' : '';
    return [
      { text: ` ${host.id === 'be' ? host.name : host.id.slice(3)} ` },
      { text: `${glyphs.dot}${plainLetters(word, glyphs)}`, tone },
      { text: ' ' },
    ];
  });
  const seconds = ((report ? report.milliseconds : Math.max(0, nowMs - model.startedAtMs)) / 1000).toFixed(1);
  const right: Line = [
    { text: `  ${seconds} s  `, tone: 'dim' },
    { text: 'READ-ONLY ', tone: 'dim' },
  ];
  const left = [...name, ...verdict(model), ...hosts];
  const gap = columns - lengthOf(left) - lengthOf(right);
  return gap >= 0 ? [...left, { text: ' '.repeat(gap) }, ...right] : left;
}

function verdict({ report, probesDone, decided }: ScreenModel): Line {
  if (!report) {
    const passed = [...decided.values()].filter(Boolean).length;
    const failed = decided.size - passed;
    return [
      { text: `checking, ${probesDone} probes done`, tone: 'warn' },
      ...(passed > 0 ? [{ text: `, ${passed} ok`, tone: 'good' } as const] : []),
      ...(failed > 0 ? [{ text: `, ${failed} failed`, tone: 'bad' } as const] : []),
      { text: ' ' },
    ];
  }
  const word = verdictWords[report.verdict];
  if (report.verdict === 'healthy') {
    return [{ text: word, tone: 'good' }, { text: ` ${later(report.latent.length)} ` }];
  }
  const count = report.causes.length;
  const explained = new Set(report.causes.flatMap((cause) => cause.explains.map((item) => item.check))).size;
  const parts = [
    `${count} cause${count === 1 ? '' : 's'}`,
    ...(explained > 0 ? [`${explained} explained`] : []),
    ...(report.latent.length > 0 ? [later(report.latent.length)] : []),
  ];
  return [{ text: word, tone: 'bad' }, { text: ` ${parts.join(', ')} ` }];
}

function later(count: number): string {
  return count > 0 ? `${count} later` : '';
}

function footer({ state, model, columns, look }: FrameProps): Line {
  const { report } = model;
  const { keys: words } = look.glyphs;
  if (state.notice !== '') return [{ text: ` ${state.notice}`, tone: 'warn' }];
  const keys = report
    ? state.view === 'causes'
      ? [
          `${words.move} move`,
          `${words.enter} open`,
          'e evidence',
          '2 all checks',
          'r rerun',
          'y copy',
          '? help',
          'q quit',
        ]
      : [`${words.move} scroll`, 'Esc back', 'y copy', '? help', 'q quit']
    : ['Ctrl-C stop and show what is known', 'q quit'];
  const text = keys.join('  ');
  return [
    {
      text: ` ${text.length + 1 > columns ? keys.slice(0, 4).concat('? help', 'q quit').join('  ') : text}`,
      tone: 'dim',
    },
  ];
}

function Body(props: FrameProps & { readonly height: number }): ReactElement {
  const { model, state, items, columns, height, look } = props;
  const { report } = model;
  const width = columns;
  const pane = { top: state.scroll, height, width, focused: true, look };
  if (state.view === 'help') return <Pane {...pane} title="keys" lines={helpLines(look.glyphs)} />;
  if (!report) return <Lines lines={waiting(props)} top={0} height={height} width={width} look={look} />;
  if (state.view === 'checks') return <Pane {...pane} title="checks" lines={checkLines(report, look.glyphs)} />;
  const item = items[Math.min(state.selected, items.length - 1)];
  if (!item) return <Lines lines={[]} top={0} height={height} width={width} look={look} />;
  const title = titleOf(item, items);
  if (state.view === 'evidence') {
    return (
      <Pane
        {...pane}
        title={`evidence for ${title}`}
        lines={evidenceLines(item, { width: width - 4, glyphs: look.glyphs, full: true })}
      />
    );
  }
  const card = (inner: number): readonly Line[] => [
    ...choices(items, item, inner),
    ...cardLines(item, report, { width: inner, glyphs: look.glyphs }),
  ];
  const onCard = state.focus === 'card';
  const evidence = evidenceLines(item, {
    width: (columns >= WIDE ? Math.floor(columns / 2) : columns) - 4,
    glyphs: look.glyphs,
    full: false,
  });
  const isShort = columns < WIDE && props.rows < SHORT;
  if (isShort && !onCard) return <Pane {...pane} title={`evidence for ${title}`} lines={evidence} />;
  if (columns < NARROW || isShort || evidence.length === 0)
    return <Pane {...pane} title={title} lines={card(width - 4)} />;
  if (columns >= WIDE) {
    const right = Math.floor(columns / 2);
    return (
      <Box flexDirection="row">
        <Pane
          {...pane}
          width={columns - right}
          focused={onCard}
          top={onCard ? state.scroll : 0}
          title={title}
          lines={card(columns - right - 4)}
        />
        <Pane
          {...pane}
          width={right}
          focused={!onCard}
          top={onCard ? 0 : state.scroll}
          title="evidence"
          lines={evidence}
        />
      </Box>
    );
  }
  const upper = Math.max(8, Math.ceil(height * 0.6));
  return (
    <Box flexDirection="column">
      <Pane
        {...pane}
        height={upper}
        focused={onCard}
        top={onCard ? state.scroll : 0}
        title={title}
        lines={card(width - 4)}
      />
      <Pane
        {...pane}
        height={height - upper}
        focused={!onCard}
        top={onCard ? 0 : state.scroll}
        title="evidence"
        lines={evidence}
      />
    </Box>
  );
}

function titleOf(item: Item, items: readonly Item[]): string {
  const same = items.filter((other) => other.kind === item.kind);
  const words = {
    cause: 'cause',
    later: 'later: not causing an outage yet',
    sight: 'not seen',
    open: 'no cause can be proven',
    healthy: 'healthy',
  };
  return item.kind === 'cause' ? `cause ${same.indexOf(item) + 1} of ${same.length}` : words[item.kind];
}

/** Everything that can be looked at, one line each, so that the first screen names every cause; the arrow keys lead to them. */
function choices(items: readonly Item[], selected: Item, width: number): readonly Line[] {
  if (items.length < 2) return [];
  return [
    ...items.map((item): Line => {
      const isSelected = item === selected;
      const code = item.cause ? `${item.cause.code.padEnd(7)} ` : '';
      const text = `${isSelected ? '> ' : '  '}${code}${item.kind === 'later' ? 'later: ' : ''}${item.title}`.slice(
        0,
        width,
      );
      return [{ text, tone: isSelected ? 'strong' : 'dim' }];
    }),
    [],
  ];
}

function waiting({ model, nowMs, look }: FrameProps): readonly Line[] {
  const hosts = model.hosts.map(
    (host): Line => [
      { text: ` ${host.name.padEnd(16)}` },
      { text: plainLetters(host.detail || host.state, look.glyphs), tone: 'dim' },
    ],
  );
  // A run of a second needs no list of what is under way.
  const open = model.open
    .filter((item) => nowMs - item.sinceMs > 1_000)
    .map(
      (item): Line => [
        {
          text: ` waiting for ${plainLetters(item.title, look.glyphs)}, ${((nowMs - item.sinceMs) / 1000).toFixed(0)} s`,
          tone: 'dim',
        },
      ],
    );
  return [[], ...hosts, [], ...open];
}
