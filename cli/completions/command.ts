// `viworks completions`: the script that a shell loads; it asks `viworks complete` at each TAB.
import type { CommandSpec } from '../../agents/runtime/index.ts';

const SHELLS = ['bash', 'zsh', 'fish'] as const;

// Our own: the library's script needs the package bash-completion, and evaluates what stands on the command line.
const BASH = `# bash completion for viworks
__viworks_complete() {
  local line tab=$'\\t'
  COMPREPLY=()
  while IFS= read -r line; do
    case $line in
      :0) compopt -o default ;;
      :*) ;;
      *) COMPREPLY+=("\${line%%$tab*}") ;;
    esac
  done < <(viworks complete -- "\${COMP_WORDS[@]:1:COMP_CWORD}" 2> /dev/null)
}
complete -F __viworks_complete viworks
`;

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
    async run({ terminal }) {
      if (shell === 'bash') {
        terminal.stdout.write(BASH);
        return 0;
      }
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
