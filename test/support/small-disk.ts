// A small file system of its own for a test about full disks; root only. Whoever makes one takes it away, after what used it.
import { execFileSync, spawnSync } from 'node:child_process';
import {
  chmodSync,
  closeSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readFileSync,
  rmSync,
  statfsSync,
  truncateSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';

/** The kinds differ in when they give out a block: a tmpfs at once, an ext4 long after it has promised it. */
const SMALL_DISKS = ['tmpfs', 'ext4'] as const;

/** A mounted small disk. */
export interface SmallDisk extends Disposable {
  readonly dir: string;
  /** Takes all the room that is left. */
  fill(): void;
  /** Somebody who is not root takes all the room that is left for him. */
  fillAsOrdinaryUser(): void;
  /** Gives back what `fill` took. */
  makeRoom(): void;
  /** The kernel finds an error in it and lets nobody write any more; an ext4 only. */
  breakDown(): void;
  /** Goes away and comes back, as at a restart of the host: only what was written remains. Waits for those who still leave it. */
  remount(): Promise<void>;
}

const NOBODY = 65534;
const BYTES = 8 << 20; // with blocks of 1 KiB it holds a journal, and a task has filled it in a moment

/** The kinds, each with what is missing here to make one of it (in words for whoever reads of skipped tests), if anything is. */
export function smallDisks(): { kind: (typeof SMALL_DISKS)[number]; missing: string }[] {
  const root = process.getuid?.() === 0;
  const loop = existsSync('/dev/loop-control') && existsSync('/sbin/mkfs.ext4');
  return SMALL_DISKS.map((kind) => ({
    kind,
    missing: root ? (kind === 'tmpfs' || loop ? '' : ' (needs loop devices and mkfs.ext4)') : ' (needs root)',
  }));
}

/** Makes and mounts one. Small blocks, none kept back for root unless told: the tightest that there is. */
export function mountSmallDisk(kind: (typeof SMALL_DISKS)[number], percentForRoot = 0): SmallDisk {
  const base = mkdtempSync(join(tmpdir(), 'vw-disk-'));
  const dir = join(base, 'disk');
  const image = join(base, 'image');
  const filler = join(dir, 'filler');
  mkdirSync(dir);
  if (kind === 'ext4') {
    writeFileSync(image, '');
    truncateSync(image, BYTES);
    execFileSync('/sbin/mkfs.ext4', ['-q', '-F', '-b', '1024', '-m', String(percentForRoot), image]);
  }
  const mount = (): void => {
    const how =
      kind === 'ext4'
        ? ['-o', 'loop,errors=remount-ro', image]
        : ['-t', 'tmpfs', '-o', `size=${BYTES}`, 'vw-small-disk'];
    execFileSync('mount', [...how, dir]);
  };
  mount();
  return {
    dir,
    fill() {
      const fd = openSync(filler, 'a');
      try {
        // Smaller and smaller, and once more after what was promised has been given out: until not a block is left.
        for (const size of [64 << 10, 1 << 10, 1]) {
          writeUntilFull(fd, Buffer.alloc(size));
          execFileSync('sync', ['-f', dir]);
        }
      } finally {
        closeSync(fd);
      }
      if (statfsSync(dir).bavail > 0) throw new Error(`${dir} is not full`);
    },
    fillAsOrdinaryUser() {
      writeFileSync(filler, '');
      chmodSync(filler, 0o666);
      const fd = openSync(filler, 'a');
      try {
        const stdio = ['ignore', fd, 'ignore'] as const;
        const { status } = spawnSync('cat', ['/dev/zero'], { uid: NOBODY, gid: NOBODY, stdio: [...stdio] });
        if (status !== 1) throw new Error(`cat ended with ${status}`);
      } finally {
        closeSync(fd);
      }
      execFileSync('sync', ['-f', dir]);
    },
    breakDown() {
      const mounts = readFileSync('/proc/self/mounts', 'utf8').split('\n');
      const [device = ''] = mounts.find((line) => line.split(' ')[1] === dir)?.split(' ') ?? [];
      writeFileSync(`/sys/fs/ext4/${basename(device)}/trigger_fs_error`, '1');
    },
    makeRoom: () => rmSync(filler, { force: true }),
    async remount() {
      if (kind === 'tmpfs') return; // it lives in memory: there is nothing that could be lost
      for (let attempt = 0; ; attempt++) {
        const { status, stderr } = spawnSync('umount', [dir], { encoding: 'utf8' });
        if (status === 0) break;
        if (attempt > 250) throw new Error(stderr);
        await new Promise((done) => setTimeout(done, 20));
      }
      mount();
    },
    [Symbol.dispose]() {
      execFileSync('umount', ['-l', dir]);
      rmSync(base, { recursive: true, force: true });
    },
  };
}

function writeUntilFull(fd: number, part: Buffer): void {
  for (;;) {
    try {
      writeSync(fd, part);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOSPC') return;
      throw error;
    }
  }
}
