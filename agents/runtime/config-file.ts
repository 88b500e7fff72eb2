// Which configuration file a program reads when none is named: what runs on this host, not what a manual would say.
import { existsSync } from 'node:fs';
import type { OptionSpec } from './command.ts';

type Program = 'backend' | 'gateway' | 'launcher';

/** Where the deployer puts it, and where an operator without the deployer does. */
const DEPLOYED = '/opt/viworks/current/etc';
const BY_HAND = '/etc/viworks';

/** The option that names it. */
export function configOption(program: Program): OptionSpec {
  return {
    flags: '-c, --config <file>',
    help: `${program}.toml (default: the one deployed here, ${DEPLOYED}/${program}.toml, else ${BY_HAND}/${program}.toml)`,
  };
}

/** The file that is meant by the option, given or not. */
export function configFile(option: unknown, program: Program): string {
  if (typeof option === 'string') return option;
  const deployed = `${DEPLOYED}/${program}.toml`;
  return existsSync(deployed) ? deployed : `${BY_HAND}/${program}.toml`;
}
