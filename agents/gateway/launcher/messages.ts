// The log messages of the launcher. It is written in perl and says them itself; a test holds launcher.pl to this table.
/** By name: code and sentence. Pure data, so that the doctor may import it. */
export const LAUNCHER_MESSAGES = {
  listening: { code: 'LA_LISTENING', text: 'launcher listening' },
  stopped: { code: 'LA_STOPPED', text: 'launcher stopped' },
} as const;
