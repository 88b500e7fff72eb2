#!/usr/bin/env node
// The entry: answers --version and the overview by itself, hands everything else to the one command that was chosen.
import { enableCompileCache } from 'node:module';

enableCompileCache();
const { runCli } = await import('./dispatch.ts');
process.exitCode = await runCli(process.argv.slice(2));
