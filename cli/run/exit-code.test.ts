// The table of exit codes, case by case.
import { expect, test } from 'vitest';
import type { http } from '../../agents/protocol/index.ts';
import { runEnding } from './exit-code.ts';

const nothing = { bytes: 0, sha256: '0'.repeat(64) };
const base = {
  out: nothing,
  err: nothing,
  durationMs: 2_500,
  leftovers: 0,
  killMode: 'none',
  escalated: false,
  oomKilled: false,
} as const;
const CTRL_C = 130;

test.each<[string, http.TaskEnd | undefined, number | undefined, number, RegExp | undefined]>([
  ['success', { ...base, outcome: 'exited', code: 0 }, undefined, 0, undefined],
  ['its own code', { ...base, outcome: 'exited', code: 7 }, undefined, 7, undefined],
  ['its own code wins over a late Ctrl-C', { ...base, outcome: 'exited', code: 3 }, CTRL_C, 3, undefined],
  ['a lost code', { ...base, outcome: 'exited' }, undefined, 75, /lost/],
  ['SIGKILL', { ...base, outcome: 'signalled', signal: 'SIGKILL' }, undefined, 137, /SIGKILL/],
  ['SIGSEGV', { ...base, outcome: 'signalled', signal: 'SIGSEGV' }, undefined, 139, /SIGSEGV/],
  [
    'out of memory',
    { ...base, outcome: 'signalled', signal: 'SIGKILL', oomKilled: true },
    undefined,
    137,
    /out of memory/,
  ],
  ['an unheard-of signal', { ...base, outcome: 'signalled', signal: 'SIGODD' }, undefined, 128, /SIGODD/],
  ['Ctrl-C', { ...base, outcome: 'cancelled', signal: 'SIGTERM' }, CTRL_C, 130, /nothing of it is left$/],
  ['somebody else cancelled', { ...base, outcome: 'cancelled', signal: 'SIGTERM' }, undefined, 143, /cancelled/],
  ['cancelled with force', { ...base, outcome: 'cancelled', escalated: true }, CTRL_C, 130, /force/],
  ['timeout', { ...base, outcome: 'timed_out', signal: 'SIGTERM' }, undefined, 124, /after 2\.5 s/],
  ['kill failed', { ...base, outcome: 'kill_failed', message: 'pid 7 in D' }, undefined, 75, /pid 7 in D/],
  ['indeterminate', { ...base, outcome: 'indeterminate', message: 'other boot' }, undefined, 75, /other boot/],
  ['denied', { outcome: 'refused', refusal: 'denied', message: 'rm is not allowed' }, undefined, 125, /denied.*rm/],
  ['came too late', { outcome: 'refused', refusal: 'expired', message: 'late' }, undefined, 69, /late/],
  [
    'no such program',
    { outcome: 'refused', refusal: 'start_failed', message: 'any words', obstacle: { stage: 'exec', errno: 'ENOENT' } },
    undefined,
    125,
    /no such program.*full path/,
  ],
  [
    'no such directory',
    { outcome: 'refused', refusal: 'start_failed', message: 'any words', obstacle: { stage: 'cwd', errno: 'ENOENT' } },
    undefined,
    125,
    /--cwd/,
  ],
  [
    'a full disk',
    {
      outcome: 'refused',
      refusal: 'storage_unavailable',
      message: 'cannot write the spool in /s: ENOSPC',
      obstacle: { stage: 'spool', errno: 'ENOSPC', place: '/s' },
    },
    undefined,
    125,
    /spool in \/s: ENOSPC.*df -h/,
  ],
  [
    'a stage of its own',
    { outcome: 'refused', refusal: 'start_failed', message: 'spool: EROFS' },
    undefined,
    125,
    /spool: EROFS/,
  ],
  [
    'a gateway from before obstacles',
    { outcome: 'refused', refusal: 'start_failed', message: 'exec: ENOENT' },
    undefined,
    125,
    /start_failed\): exec: ENOENT$/,
  ],
  [
    'no disk at fault',
    { outcome: 'refused', refusal: 'storage_unavailable', message: 'holds 4096', obstacle: { stage: 'held' } },
    undefined,
    125,
    /another task: holds 4096$/,
  ],
  ['never started', { outcome: 'refused', refusal: 'not_started', message: 'crash' }, undefined, 125, /crash/],
  ['cancelled in the queue by us', { outcome: 'cancelled_before_start' }, CTRL_C, 130, /before/],
  ['cancelled in the queue by others', { outcome: 'cancelled_before_start' }, undefined, 125, /before/],
  ['offline', { outcome: 'expired', message: 'gw1 was offline for 60 s' }, undefined, 69, /offline/],
  ['no end at all', undefined, undefined, 75, /not how/],
])('%s', (_name, end, interrupt, code, note) => {
  const ending = runEnding(end, interrupt);
  expect(ending.code).toBe(code);
  if (note) expect(ending.note).toMatch(note);
  else expect(ending.note).toBeUndefined();
});
