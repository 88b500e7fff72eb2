// How a failure looks to the operator: what happened, what to do next, the exit code and the code to look up. Never a stack.
import { BUILD, fromUnknown, redactText, type ViworksError, visibleText } from '../agents/runtime/index.ts';

/** Exit code for a bug of ours (EX_SOFTWARE, sysexits.h). */
const EXIT_BUG = 70;

/** Text for stderr and the exit code. With `debug` the stack and the causes follow. */
export function renderFailure(
  thrown: unknown,
  options: { colour: boolean; debug: boolean },
): { text: string; code: number } {
  const error = fromUnknown(thrown);
  const lines = error.exitCode === EXIT_BUG && error !== thrown ? bugLines(error) : ordinaryLines(error);
  // What a host said may be in it.
  const [head = '', ...rest] = lines.map((line) => visibleText(redactText(line)));
  const text = [options.colour ? `\u001b[1m${head}\u001b[22m` : head, ...rest].join('\n');
  const trace = options.debug ? `\n${stacks(thrown)}` : '';
  return { text: redactText(`${text}${trace}\n`), code: error.exitCode };
}

function ordinaryLines(error: ViworksError): string[] {
  // A configuration's problems stand at their places, most of them with a remedy of their own.
  const config = error.code === 'VW_RUNTIME_CONFIG';
  const head = config ? error.message : `viworks: ${error.message}`;
  const remedy = config && error.detail.remedied === true ? [] : [`  remedy: ${error.hint}`];
  return [head, ...remedy, `exit ${error.exitCode} (${error.code})`];
}

function bugLines(error: ViworksError): string[] {
  return [
    `viworks: this is a bug in viworks ${BUILD.version} (${BUILD.revision}): ${error.cause instanceof Error ? error.cause.message : error.message}`,
    '  remedy: run it again with VIWORKS_DEBUG=1 and report the command, its output and the trace',
    `exit ${EXIT_BUG} (${error.code})`,
  ];
}

function stacks(thrown: unknown): string {
  const parts: string[] = [];
  for (let at = thrown; at instanceof Error && parts.length < 5; at = at.cause) parts.push(at.stack ?? at.message);
  return parts.length > 0 ? parts.join('\ncaused by: ') : String(thrown);
}
