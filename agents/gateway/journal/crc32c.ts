// CRC-32C (Castagnoli), the checksum of journal records. Pure; Node's own crc32 is the other polynomial.

const POLYNOMIAL = 0x82f63b78; // reversed form of 0x1EDC6F41 (RFC 3720, appendix B.4)

let table: Uint32Array | undefined;

function makeTable(): Uint32Array {
  const made = new Uint32Array(256);
  for (let index = 0; index < 256; index++) {
    let value = index;
    for (let bit = 0; bit < 8; bit++) value = value & 1 ? (value >>> 1) ^ POLYNOMIAL : value >>> 1;
    made[index] = value >>> 0;
  }
  return made;
}

/** Checksum of `bytes`. */
export function crc32c(bytes: Uint8Array): number {
  table ??= makeTable();
  let crc = 0xffff_ffff;
  for (const byte of bytes) crc = (table[(crc ^ byte) & 0xff] as number) ^ (crc >>> 8);
  return (crc ^ 0xffff_ffff) >>> 0;
}
