// `viworks completions`: the script that a shell loads; it asks `viworks complete` at each TAB.
import type { CommandSpec } from '../../agents/runtime/index.ts';

const SHELLS = ['bash', 'zsh', 'fish'] as const;

export const completionsCommand: CommandSpec = {
  name: 'completions',
  summary: 'print the completion script of a shell',
  description:
    'Prints a script that completes commands, options and gateway names. Load it in your shell’s start-up file.',
  subcommands: SHELLS.map((shell) => ({
    name: shell,
    summary: `the script for ${shell}`,
    examples: [{ command: setup(shell), does: 'load it; put this into your start-up file' }],
    exitCodes: [{ code: 0, means: 'printed' }],
    async run() {
      const { default: tab } = await import('@bomb.sh/tab');
      tab.setup('viworks', 'viworks', shell);
      return 0;
    },
  })),
  examples: SHELLS.map((shell) => ({ command: setup(shell), does: `in ${shell}` })),
  exitCodes: [
    { code: 0, means: 'printed' },
    { code: 64, means: 'no such shell' },
  ],
};

function setup(shell: string): string {
  return shell === 'fish' ? 'viworks completions fish | source' : `source <(viworks completions ${shell})`;
}
