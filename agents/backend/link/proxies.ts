// The real address of a peer: X-Forwarded-For counts only as far as trusted proxies wrote it. Pure.
import { BlockList, isIP } from 'node:net';

/** Whether an address belongs to a proxy that is believed. */
export type Trust = (address: string) => boolean;

/** Builds the test from addresses and CIDR networks. */
export function createTrust(networks: readonly string[]): Trust {
  const list = new BlockList();
  for (const network of networks) {
    const [host = '', bits] = network.split('/');
    const family = isIP(host) === 6 ? 'ipv6' : 'ipv4';
    if (bits === undefined) list.addAddress(host, family);
    else list.addSubnet(host, Number(bits), family);
  }
  return (address) => {
    const plain = withoutMapping(address);
    const family = isIP(plain);
    return family !== 0 && list.check(plain, family === 6 ? 'ipv6' : 'ipv4');
  };
}

/** The first address, seen from here, that no trusted proxy has. */
export function remoteAddress(peer: string | undefined, forwarded: string | undefined, trust: Trust): string {
  let address = withoutMapping(peer ?? '');
  const hops = (forwarded ?? '').split(',').map((hop) => withoutMapping(hop.trim()));
  while (trust(address)) {
    const hop = hops.pop();
    if (hop === undefined || isIP(hop) === 0) break;
    address = hop;
  }
  return address;
}

function withoutMapping(address: string): string {
  return address.startsWith('::ffff:') && isIP(address.slice(7)) === 4 ? address.slice(7) : address;
}
