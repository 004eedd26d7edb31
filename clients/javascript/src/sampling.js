// Whether a unit (a pageview, a session, a device) is in a sample: the same answer everywhere.

/** FNV-1a over UTF-8, finished with MurmurHash3's mixer so that near ids fall far apart. */
function hash32(text) {
  let value = 2166136261;
  for (const byte of new TextEncoder().encode(text)) {
    value = Math.imul(value ^ byte, 16777619);
  }
  value ^= value >>> 16;
  value = Math.imul(value, 0x85ebca6b);
  value ^= value >>> 13;
  value = Math.imul(value, 0xc2b2ae35);
  return (value ^ (value >>> 16)) >>> 0;
}

/** Whether `unitId` belongs to a sample of `rate` (0 to 1). */
export function inSample(unitId, rate) {
  return rate >= 1 || hash32(unitId) < rate * 4294967296;
}
