// What the bundler has to know about this repository: our files do nothing at import time, doors are no detour, and which parts of
// Node and of packages are never wanted.
import { readFileSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import type { Plugin } from 'esbuild';

/** The plugins of the main bundle, in order; the first one serves every bundle. */
export function bundlePlugins(): Plugin[] {
  return [ownSources(), cheapImports(), leftOut()];
}

// Nothing happens at import time in our own files (house rule), so what an entry does not use can be dropped with its packages.
function ownSources(): Plugin {
  return {
    name: 'own-sources',
    setup(context) {
      context.onResolve({ filter: /^\.\.?\// }, (args) => {
        if (args.importer.includes('node_modules') || args.kind === 'entry-point') return undefined;
        return { path: resolve(args.resolveDir, args.path), sideEffects: false };
      });
    },
  };
}

// esbuild assigns whole files to chunks: through a room's index.ts every command would load all of the room, pino and TOML parser
// included. So an import from a door becomes imports from the files behind it.
function cheapImports(): Plugin {
  const maps = new Map<string, ReadonlyMap<string, Behind>>();
  const mapOf = (door: string): ReadonlyMap<string, Behind> => {
    const known = maps.get(door) ?? readDoor(readFileSync(door, 'utf8'));
    maps.set(door, known);
    return known;
  };
  return {
    name: 'cheap-imports',
    setup(context) {
      context.onLoad({ filter: /\.tsx?$/ }, (args) => {
        if (args.path.includes('node_modules')) return undefined;
        const directory = dirname(args.path);
        const opened = openDoors(readFileSync(args.path, 'utf8'), (specifier) => mapOf(resolve(directory, specifier)));
        return {
          contents: openBuiltIns(opened),
          loader: args.path.endsWith('x') ? 'tsx' : 'ts',
          resolveDir: directory,
        };
      });
      // commander is the one package that every command loads.
      context.onLoad({ filter: /[\\/]commander[\\/](index|lib[\\/]\w+)\.js$/ }, (args) => ({
        // It can run programs as subcommands; ours are functions.
        contents: openBuiltIns(readFileSync(args.path, 'utf8').replace(/^import \w+ from 'node:child_process';/m, '')),
        loader: 'js',
        resolveDir: dirname(args.path),
      }));
    },
  };
}

/** What an exported name of a door is: a name of the file behind it, or (`*`) the whole file. */
export interface Behind {
  readonly file: string;
  readonly name: string;
}

/** The exports of a door file: `export { a, b as c } from './x.ts'` and `export * as d from './y.ts'`. */
export function readDoor(text: string): Map<string, Behind> {
  const found = new Map<string, Behind>();
  for (const [, names = '', file = ''] of text.matchAll(/^export \{([^}]*)\} from '([^']+)';/gm)) {
    for (const { name, alias } of specifiers(names)) found.set(alias, { file, name });
  }
  for (const [, alias = '', file = ''] of text.matchAll(/^export \* as (\w+) from '([^']+)';/gm)) {
    found.set(alias, { file, name: '*' });
  }
  return found;
}

/** Rewrites the value imports from doors; what a door does not list stays as it is. */
export function openDoors(text: string, mapOf: (specifier: string) => ReadonlyMap<string, Behind>): string {
  return text.replace(/^import \{([^}]*)\} from '(\.[^']*\/index\.ts)';/gm, (whole, names: string, door: string) => {
    const map = mapOf(door);
    const wanted = specifiers(names);
    if (wanted.some(({ name }) => !map.has(name))) return whole;
    const rewritten = wanted.map(({ name, alias }) => {
      const behind = map.get(name) as Behind;
      const from = door.replace(/index\.ts$/, behind.file.replace(/^\.\//, ''));
      return behind.name === '*'
        ? `import * as ${alias} from '${from}';`
        : `import { ${behind.name} as ${alias} } from '${from}';`;
    });
    return rewritten.join(' ');
  });
}

// Types are gone after the build, so they are left out.
function specifiers(list: string): { name: string; alias: string }[] {
  const words = list.split(',').map((word) => word.trim());
  return words
    .filter((word) => word !== '' && !word.startsWith('type '))
    .map((word) => {
      const [name = '', alias = name] = word.split(/\s+as\s+/);
      return { name, alias };
    });
}

// An ESM import of a built-in reads every export of it, lazy ones too: node:http then loads undici for its WebSocket, 15 ms that
// each `viworks run` would pay. Taken from the object, a built-in costs what is used of it.
export function openBuiltIns(text: string): string {
  return text.replace(
    /^import (?!type\b)([^;'"]+?) from ['"](node:[^'"]+)['"];/gm,
    (_whole, clause: string, module: string) => {
      const source = `globalThis.process.getBuiltinModule('${module}')`;
      const [, whole = '', names = ''] = /^(?:(?:\* as )?(\w+))?(?:,\s*)?(?:\{([^}]*)\})?$/.exec(clause.trim()) ?? [];
      const parts = specifiers(names).map(({ name, alias }) => (name === alias ? name : `${name}: ${alias}`));
      const statements = [
        ...(whole === '' ? [] : [`const ${whole} = ${source};`]),
        ...(parts.length === 0 ? [] : [`const { ${parts.join(', ')} } = ${source};`]),
      ];
      return statements.join(' ');
    },
  );
}

// Native parts are optional everywhere (ssh2 falls back to node:crypto), and ink's developer tools are never wanted.
function leftOut(): Plugin {
  return {
    name: 'left-out',
    setup(context) {
      context.onResolve({ filter: /\.node$|^cpu-features$/ }, (args) => ({ path: args.path, namespace: 'native' }));
      context.onLoad({ filter: /.*/, namespace: 'native' }, () => ({
        contents: "throw new Error('native parts are left out of the bundle');",
        loader: 'js',
      }));
      context.onResolve({ filter: /^react-devtools-core$/ }, (args) => ({ path: args.path, namespace: 'empty' }));
      context.onLoad({ filter: /.*/, namespace: 'empty' }, () => ({ contents: 'export default {};', loader: 'js' }));
    },
  };
}
