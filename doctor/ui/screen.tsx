// The screen's life: the alternate screen while it is open, the terminal as it was when it is left, the short report in its scrollback.
// Loaded only when it was chosen: it brings ink with it.
import { render } from 'ink';
import { screenOf } from '../../agents/runtime/index.ts';
import type { Report, RunEvent } from '../engine/index.ts';
import { renderShort } from '../output/index.ts';
import { App, type ScreenClock } from './app.tsx';
import { glyphsFor } from './text.ts';

/** The terminal and the surroundings of the call, as far as a screen cares. */
export interface Surroundings {
  readonly terminal: {
    readonly stdin: NodeJS.ReadableStream;
    readonly stdout: NodeJS.WritableStream;
    readonly stderr: NodeJS.WritableStream;
    readonly colour: { readonly stdout: boolean };
  };
  readonly clock: ScreenClock;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly signal: AbortSignal;
}

export interface ScreenOptions {
  readonly invocation: Surroundings;
  /** Stay below the prompt instead of taking the whole terminal. */
  readonly inline: boolean;
  /** One look; called again when the operator asks for another one. */
  examine(listen: (event: RunEvent) => void, signal: AbortSignal): Promise<void>;
}

/** Shows the screen until it is left; gives the last report, or null when none was finished. */
export async function showScreen({ invocation, inline, examine }: ScreenOptions): Promise<Report | null> {
  const { terminal, clock, env, signal } = invocation;
  let last: Report | null = null;
  const app = (
    <App
      clock={clock}
      look={{ colour: terminal.colour.stdout, glyphs: glyphsFor(env) }}
      examine={examine}
      onReport={(report) => {
        last = report;
      }}
      write={(bytes) => void terminal.stdout.write(Buffer.from(bytes))}
      tmux={env.TMUX !== undefined}
    />
  );
  const screen = render(app, {
    stdout: screenOf(terminal.stdout as NodeJS.WriteStream),
    stdin: terminal.stdin as NodeJS.ReadStream,
    stderr: screenOf(terminal.stderr as NodeJS.WriteStream),
    exitOnCtrlC: false,
    // Bastion hosts export CI=true on real terminals; whether this is one was decided before.
    interactive: true,
    isScreenReaderEnabled: false,
    alternateScreen: !inline,
  });
  const leave = (): void => screen.unmount();
  signal.addEventListener('abort', leave, { once: true });
  try {
    await screen.waitUntilExit();
  } finally {
    signal.removeEventListener('abort', leave);
    screen.unmount();
    // Raw mode is off by now; an open stdin would keep the process alive.
    (terminal.stdin as NodeJS.ReadStream).unref?.();
  }
  const report: Report | null = last;
  if (report) terminal.stdout.write(renderShort(report));
  return report;
}
