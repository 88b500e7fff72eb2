// What `viworks` says when it is asked for nothing in particular. Made from the table; loads no command.
import { BUILD } from '../agents/runtime/index.ts';
import { COMMANDS } from './commands.ts';

/** `viworks 0.1.0 (4f2c1e9)`. */
export function versionLine(): string {
  return `viworks ${BUILD.version} (${BUILD.revision})`;
}

/** The overview: commands by group, and the first ones to try. */
export function renderOverview(): string {
  const width = Math.max(...COMMANDS.map((command) => command.name.length)) + 3;
  const groups = [...new Set(COMMANDS.map((command) => command.group))];
  const sections = groups.map((group) => {
    const rows = COMMANDS.filter((command) => command.group === group);
    return [`${group}`, ...rows.map((row) => `  ${row.name.padEnd(width)}${row.summary}`)].join('\n');
  });
  return `${versionLine()}: two agents, a doctor that names the root cause, a deployer that rolls back automatically

Usage: viworks COMMAND [OPTIONS]

${sections.join('\n\n')}

  viworks COMMAND --help   options, examples and exit codes
  viworks --version        version and the git revision it was built from

Examples
  viworks up                                 the whole system on this machine
  viworks run gw-berlin-1 -- uname -sr       one command on one gateway
  viworks doctor                             what is wrong between here and there

Environment: VIWORKS_URL, VIWORKS_TOKEN_FILE, VIWORKS_TRUST_FILE, VIWORKS_CONTEXT, NO_COLOR, VIWORKS_DEBUG=1 (traces)
`;
}
