// `viworks doctor explain CODE`, offline: a cause as text, from the same data that the diagnosis runs on.
import { type CauseRule, createFactStore, createView, type Topology, type View } from '../engine/index.ts';
import { labelled, wrap } from './text.ts';

/** The names that examples are written with. */
const example: Topology = {
  name: 'example',
  kind: 'viworks',
  url: 'wss://agents.example.test/ws/agent',
  serverName: 'agents.example.test',
  publicPort: 443,
  path: '/ws/agent',
  backend: {
    host: { name: 'be1', address: '192.0.2.10', transport: 'ssh' },
    supervision: 'systemd',
    unit: 'viworks-backend-agent.service',
    sockets: [],
    container: null,
    apiPort: 8080,
    agentsPort: 8081,
    heartbeatSeconds: 10,
  },
  nginx: { supervision: 'systemd', unit: 'nginx.service', container: null },
  gateways: [
    {
      id: 'gw1',
      host: { name: 'gw1', address: '192.0.2.20', transport: 'ssh' },
      supervision: 'systemd',
      unit: 'viworks-gateway-agent.service',
      container: null,
      launcherUnit: 'viworks-launcher.service',
    },
  ],
  inferred: [],
};

function exampleView(): View {
  return createView(createFactStore(), example, example.gateways[0] ?? null);
}

/** Title of a cause as it reads without any facts. */
export function titleOf(rule: CauseRule): string {
  return rule.title(exampleView());
}

export function explainCause(rule: CauseRule, all: readonly CauseRule[], width = 100): string {
  const view = exampleView();
  const remedy = rule.remedy(view);
  const scope = { active: 'breaks things now', latent: 'nothing is broken yet', sight: 'only takes away sight' }[
    rule.scope
  ];
  const lookalikes = rule.lookalikes.map((item) => {
    const known = all.find((other) => other.code === item.code);
    return `${item.code} ${known ? titleOf(known) : (item.title ?? '')}: it is not that when ${item.separator.claim(view)}`;
  });
  const lines = [
    `${rule.code}  ${titleOf(rule)}`,
    `  ${rule.layer} · hop ${rule.hop} · ${scope}`,
    '',
    ...rule.help.split('\n').flatMap((line) => wrap(line, width)),
    '',
    ...rule.necessary.flatMap((sign, index) => labelled(index === 0 ? 'needs' : '', sign.claim(view), width)),
    ...rule.signature.flatMap((sign, index) => labelled(index === 0 ? 'proof' : '', sign.claim(view), width)),
    ...lookalikes.flatMap((text, index) => labelled(index === 0 ? 'not' : '', text, width)),
    ...labelled('fix', remedy.text, width),
    ...remedy.commands.map((command) => `          ${command}`),
  ];
  return `${lines.join('\n')}\n`;
}
