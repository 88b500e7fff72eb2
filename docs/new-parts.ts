// Where the parts of a new probe or a new cause go, as texts: pure, so that a test can count the files that each of them touches.

/** Which rows a family of codes has, where its worlds are, and whose log the first sign reads. */
const homes: Readonly<Record<string, { readonly causes: string; readonly cases: string; readonly seat: 'be' | 'gw' }>> =
  {
    BE: { causes: 'backend', cases: 'backend', seat: 'be' },
    DOC: { causes: 'docker', cases: 'backend', seat: 'be' },
    NGX: { causes: 'nginx-config', cases: 'nginx', seat: 'be' },
    NGR: { causes: 'nginx-runtime', cases: 'nginx', seat: 'be' },
    TLS: { causes: 'tls', cases: 'network', seat: 'be' },
    NET: { causes: 'network', cases: 'network', seat: 'gw' },
    SYS: { causes: 'gateway-unit', cases: 'gateway', seat: 'gw' },
    CFG: { causes: 'gateway-config', cases: 'gateway', seat: 'gw' },
    CMD: { causes: 'commands', cases: 'gateway', seat: 'gw' },
  };

/** A file to be written, by its path in the repository. */
export interface Laid {
  readonly path: string;
  readonly text: string;
}

/** Reads a file of the repository; null for one that is not there. */
export type ReadFile = (path: string) => string | null;

/** A new row of the catalogue: latent and read from one log line, until real signs take its place. Throws with a sentence for people. */
export function newCause(code: string, read: ReadFile): readonly Laid[] {
  const home = /^[A-Z]{2,3}-\d\d$/.test(code) ? homes[code.slice(0, -3)] : undefined;
  if (!home) throw new Error(`${code} is not a code; write one like ${Object.keys(homes).join('-01, ')}-01`);
  const causes = `doctor/causes/${home.causes}.ts`;
  const cases = `test/support/doctor/${home.cases}.ts`;
  const [text, worlds] = [must(read, causes), must(read, cases)];
  if (text.includes(`'${code}'`)) throw new Error(`${code} is already in ${causes}`);
  const line = `${code}: what it looks like`;
  const part = home.seat === 'be' ? 'backend' : 'gateway';
  const row = `    '${code}': {
      name: 'what it is called',
      host: '${home.seat}',
      scope: 'latent',
      predicts: [],
      title: 'what is broken, as a sentence',
      // What facts have to show: a sign for each, with what it says when it holds and when it fails.
      necessary: [signs.logs.logSays(signs.parts.${part}Part, /${line}/, 'its log says')],
      remedy: () => remedy('what to do about it'),
      help: \`What happens, how it is told from its look-alikes, and how to fix it for good.\`,
    },
`;
  const world = `  {
    name: '${code} what it is called (latent)',
    causes: [],
    latent: ['${code}'],
    world: () => healthy().put('log.tail', ${home.seat === 'be' ? "'be'" : 'w.gw'}, '${part}', w.log('${line}')),
  },
`;
  return [
    { path: causes, text: before(text, '  },\n);\n', row) },
    { path: cases, text: before(worlds, '];\n', world) },
  ];
}

/** A new probe with its fact: the answer's lines, until a parser makes more of them. Throws with a sentence for people. */
export function newProbe(name: string, read: ReadFile): readonly Laid[] {
  if (!/^[a-z][a-z0-9]*(-[a-z0-9]+)*$/.test(name)) throw new Error(`${name} is not a name; write one like open-files`);
  const path = `doctor/probes/${name}.ts`;
  if (read(path) !== null) throw new Error(`${path} is there already`);
  const id = `host.${name}`;
  const variable = `${name.replace(/-(.)/g, (_, letter: string) => letter.toUpperCase())}Probe`;
  const [facts, list] = ['doctor/engine/vocabulary/facts.ts', 'doctor/probes/host-probes.ts'];
  const probe = `// What is asked, and what it is good for: one sentence.
import { defineProbe } from './define-probe.ts';

export const ${variable} = defineProbe({
  id: '${id}',
  title: '${name.replaceAll('-', ' ')}',
  script: 'uname -r',
  key: '${id}',
  command: 'uname -r',
  parse: (text) => text.split('\\n').filter(Boolean),
});
`;
  const capture = { about: 'uname -r of a Debian 13 host', text: '6.12.0\n', expect: ['6.12.0'] };
  const typed = `  /** be, gw:ID · '' · uname -r. */\n  readonly '${id}': readonly string[];\n`;
  const withType = before(must(read, facts), '}\n\nexport type FactKey', typed);
  const imported = `import { ${variable} } from './${name}.ts';\n`;
  return [
    { path, text: probe },
    {
      path: facts,
      text: before(
        withType,
        '};\n\n/**\n * Why something is not known',
        `  '${id}': '${name.replaceAll('-', ' ')}',\n`,
      ),
    },
    {
      path: list,
      text: before(before(must(read, list), '  // Last:', `  ${variable},\n`), '\nexport const hostProbes', imported),
    },
    { path: `doctor/probes/cases/${name}/example.json`, text: `${JSON.stringify(capture, null, 2)}\n` },
  ];
}

function must(read: ReadFile, path: string): string {
  const text = read(path);
  if (text === null) throw new Error(`${path} is not there`);
  return text;
}

/** Puts a piece in front of the last place where the text has the mark. */
function before(text: string, mark: string, piece: string): string {
  const at = text.lastIndexOf(mark);
  if (at < 0) throw new Error(`a file has no place for a new row any more: ${JSON.stringify(mark)} is not in it`);
  return text.slice(0, at) + piece + text.slice(at);
}
