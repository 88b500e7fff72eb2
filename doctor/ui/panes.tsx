// The few shapes that the screen is made of: a styled line, a windowed list of lines, a frame around one.
import { Box, Text } from 'ink';
import type { ReactElement } from 'react';
import { cut, type Glyphs, type Line, type Piece } from './text.ts';

/** How a terminal shows things: with colour or without, with which letters. */
export interface Look {
  readonly colour: boolean;
  readonly glyphs: Glyphs;
}

const colours = { good: 'green', bad: 'red', warn: 'yellow' } as const;

function Styled({ piece, look }: { readonly piece: Piece; readonly look: Look }): ReactElement {
  const { text, tone } = piece;
  const colour = look.colour && (tone === 'good' || tone === 'bad' || tone === 'warn') ? colours[tone] : undefined;
  const markColour = look.colour && tone === 'mark' ? 'red' : undefined;
  const paint = colour ?? markColour;
  return (
    <Text
      bold={tone === 'strong' || tone === 'mark' || tone === 'bad'}
      dimColor={tone === 'dim'}
      inverse={tone === 'mark'}
      {...(paint === undefined ? {} : { color: paint })}
    >
      {text}
    </Text>
  );
}

/** One line of the screen, never longer than its width. */
export function Row({
  line,
  width,
  look,
}: {
  readonly line: Line;
  readonly width: number;
  readonly look: Look;
}): ReactElement {
  const pieces = cut(line, width, look.glyphs);
  return (
    <Text wrap="truncate">
      {pieces.length === 0 ? ' ' : numbered(pieces).map(({ at, item }) => <Styled key={at} piece={item} look={look} />)}
    </Text>
  );
}

/** Lines have no name but their place, and a place is what a terminal redraws. */
export function numbered<T>(items: readonly T[]): readonly { readonly at: number; readonly item: T }[] {
  return items.map((item, at) => ({ at, item }));
}

/** As many lines as fit, from `top` on. Windowed here: a frame taller than the terminal would wipe its scrollback. */
export function Lines(props: {
  readonly lines: readonly Line[];
  readonly top: number;
  readonly height: number;
  readonly width: number;
  readonly look: Look;
}): ReactElement {
  const { lines, height, width, look } = props;
  const top = clampTop(props.top, lines.length, height);
  const shown = lines.slice(top, top + height);
  return (
    <Box flexDirection="column" height={height} width={width}>
      {numbered(shown).map(({ at, item }) => (
        <Row key={top + at} line={item} width={width} look={look} />
      ))}
    </Box>
  );
}

/** The last page is full when there are enough lines. */
export function clampTop(top: number, count: number, height: number): number {
  return Math.max(0, Math.min(top, count - height));
}

/** A frame with a title in its first line; the selected one in bold. */
export function Pane(props: {
  readonly title: string;
  readonly lines: readonly Line[];
  readonly top: number;
  readonly height: number;
  readonly width: number;
  readonly focused: boolean;
  readonly look: Look;
}): ReactElement {
  const { title, lines, height, width, look, focused } = props;
  const inner = Math.max(1, height - 3);
  const top = clampTop(props.top, lines.length, inner);
  const more = lines.length > inner ? `, lines ${top + 1} to ${top + inner} of ${lines.length}` : '';
  const unicode = look.glyphs.ok === '✓';
  return (
    <Box
      flexDirection="column"
      width={width}
      height={height}
      borderStyle={unicode ? 'single' : 'classic'}
      borderDimColor={!focused}
      paddingX={1}
    >
      <Row
        line={[
          { text: title, tone: focused ? 'strong' : 'dim' },
          { text: more, tone: 'dim' },
        ]}
        width={width - 4}
        look={look}
      />
      <Lines lines={lines} top={props.top} height={inner} width={width - 4} look={look} />
    </Box>
  );
}
