// Runs `viworks gateway` straight from the sources, without the CLI around it: `node gateway-process.ts GATEWAY.TOML`.
import { gatewayCommand } from '../../agents/gateway/command.ts';
import { systemClock, ViworksError } from '../../agents/runtime/index.ts';

const controller = new AbortController();
for (const signal of ['SIGTERM', 'SIGINT'] as const) process.on(signal, () => controller.abort());
try {
  process.exitCode = await gatewayCommand.run?.({
    args: [],
    rest: [],
    options: { config: process.argv[2] },
    terminal: {
      stdin: process.stdin,
      stdout: process.stdout,
      stderr: process.stderr,
      interactive: false,
      colour: { stdout: false, stderr: false },
      columns: 80,
      rows: 24,
    },
    signal: controller.signal,
    clock: systemClock,
    env: process.env,
  });
} catch (error) {
  process.stderr.write(error instanceof ViworksError ? `${error.code}: ${error.message}\n` : `${String(error)}\n`);
  process.exitCode = error instanceof ViworksError ? error.exitCode : 70;
}
