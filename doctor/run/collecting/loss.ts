// Further dials from a gateway: several at once where one was late or lost, since a way that drops everything and a way that drops some look
// alike to one dial; and one to each address where the name has several, since the system takes whichever it likes.
import { known, type Reading, type TcpConnect } from '../../engine/index.ts';
import { type Dialled, dial } from '../../probes/dial.ts';
import { connectReading, type Endpoint, factFrom, type NetworkVantage, unlessLost } from '../../probes/network.ts';
import { DIALS } from '../../probes/several.ts';
import type { NetworkContext } from './network-context.ts';

/** A dial that needed a second packet took this long at least: RFC 6298 §2 sends it after 1 s, and clocks are not that exact. In ms. */
const LATE_MS = 900;

/** Of a name with more addresses than this only the first are dialled. */
const MOST_ADDRESSES = 8;

export async function dialAgain(context: NetworkContext, from: NetworkVantage, endpoint: Endpoint): Promise<void> {
  if (!somethingWasLate(context, from)) return;
  const { vantage, place } = from;
  const { address, port } = endpoint;
  const title = `${DIALS} more dials of the public port from ${from.host}`;
  await context.log.probe({ probe: 'tcp.dials.public', vantage, title }, async () => {
    const dialling = await unlessLost(
      Promise.all(Array.from({ length: DIALS }, () => dial(place, address, port))).then(known),
    );
    if (dialling.status !== 'known') return [];
    const dials = dialling.value;
    for (const one of dials) if (one.ok) one.stream.destroy();
    const connected = dials.flatMap((one) => (one.ok ? [one.milliseconds] : []));
    const lost = dials.filter((one) => !one.ok && one.failure === 'timeout').length;
    // Refused, unreachable, or the way to the host broke: no matter of packets that are lost.
    if (connected.length + lost < DIALS) return [];
    const late = connected.filter((milliseconds) => milliseconds >= LATE_MS).length;
    const lines = [
      `${DIALS} dials of ${address}:${port}: ${connected.length - late} at once, ${late} late, ${lost} lost`,
      `connected after ${connected.map((milliseconds) => `${milliseconds} ms`).join(', ') || 'never'}`,
    ];
    const command = `for i in 1 2 3 4 5 6; do curl -so /dev/null -w '%{time_connect}\\n' -k https://${address}:${port}/; done`;
    return [
      factFrom(from, {
        key: 'tcp.dials',
        subject: 'public',
        reading: known({ attempts: DIALS, late, lost }),
        command,
        lines,
      }),
    ];
  });
}

export async function dialAddresses(context: NetworkContext, from: NetworkVantage, endpoint: Endpoint): Promise<void> {
  const { vantage, place, host } = from;
  const answer = context.store.get('dns.answer', vantage);
  const addresses = answer.status === 'known' ? answer.value.addresses.slice(0, MOST_ADDRESSES) : [];
  if (addresses.length < 2) return;
  const { port } = endpoint;
  const title = `dial each of the ${addresses.length} addresses from ${host}`;
  await context.log.probe({ probe: 'tcp.addresses.public', vantage, title }, async () => {
    const dialling = await unlessLost(
      Promise.all(addresses.map(async (address) => reachOf(await dial(place, address, port), { address, port }))).then(
        known,
      ),
    );
    // Of a list half is nothing: an address that could not be dialled could be the one that answers.
    const seen = dialling.status === 'known' ? dialling.value : [];
    const dials = seen.flatMap((reading) => (reading.status === 'known' ? [reading.value] : []));
    if (dials.length < addresses.length) return [];
    const lines = dials.map(
      (one) => `connect ${one.address} port ${port}: ${one.outcome} after ${one.milliseconds} ms`,
    );
    const command = `for a in ${addresses.join(' ')}; do nc -vz -w 3 $a ${port}; done`;
    return [factFrom(from, { key: 'tcp.addresses', subject: 'public', reading: known(dials), command, lines })];
  });
}

function reachOf(dialled: Dialled, at: Pick<TcpConnect, 'address' | 'port'>): Reading<TcpConnect> {
  if (dialled.ok) dialled.stream.destroy();
  return connectReading(dialled, at);
}

function somethingWasLate({ store }: NetworkContext, { vantage }: NetworkVantage): boolean {
  const connect = store.get('tcp.connect', vantage, 'public');
  const upgrade = store.get('ws.upgrade', vantage, 'public');
  const tls = store.get('tls.certificate', vantage, 'public');
  const page = store.get('http.response', vantage, 'public-api');
  return (
    (connect.status === 'known' && (connect.value.outcome === 'timeout' || connect.value.milliseconds >= LATE_MS)) ||
    (upgrade.status === 'known' &&
      (upgrade.value.ended === 'timeout' || (upgrade.value.milliseconds.tcp ?? 0) >= LATE_MS)) ||
    (tls.status === 'known' && tls.value.handshake === 'timeout') ||
    (page.status === 'known' && page.value.outcome === 'timeout')
  );
}
