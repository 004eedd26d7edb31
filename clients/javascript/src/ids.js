// Ids of events: derived from the device's token, which never leaves it unless its owner asks.

const bits = (x, n) => (x >>> n) | (x << (32 - n));
const fraction = (x) => ((x - Math.floor(x)) * 4294967296) | 0;

const primes = [];
for (let n = 2; primes.length < 64; n++) {
  if (primes.every((p) => n % p)) primes.push(n);
}
const K = primes.map((p) => fraction(Math.cbrt(p)));
const START = primes.slice(0, 8).map((p) => fraction(Math.sqrt(p)));

/** SHA-256 of a text, in hex. Synchronous, as the browser's own is not: events need their id now. */
export function sha256(text) {
  const bytes = new TextEncoder().encode(text);
  const padded = new Uint8Array(((bytes.length + 72) >> 6) << 6);
  padded.set(bytes);
  padded[bytes.length] = 128;
  const view = new DataView(padded.buffer);
  view.setUint32(padded.length - 4, bytes.length * 8);
  const state = START.slice();
  const w = new Int32Array(64);
  for (let at = 0; at < padded.length; at += 64) {
    for (let i = 0; i < 64; i++) {
      if (i < 16) {
        w[i] = view.getInt32(at + 4 * i);
      } else {
        const a = w[i - 15];
        const b = w[i - 2];
        const s0 = bits(a, 7) ^ bits(a, 18) ^ (a >>> 3);
        const s1 = bits(b, 17) ^ bits(b, 19) ^ (b >>> 10);
        w[i] = w[i - 16] + s0 + w[i - 7] + s1;
      }
    }
    const h = state.slice();
    for (let i = 0; i < 64; i++) {
      const e = h[4];
      const a = h[0];
      const s1 = bits(e, 6) ^ bits(e, 11) ^ bits(e, 25);
      const t1 = (h[7] + s1 + ((e & h[5]) ^ (~e & h[6])) + K[i] + w[i]) | 0;
      const s0 = bits(a, 2) ^ bits(a, 13) ^ bits(a, 22);
      const t2 = (s0 + ((a & h[1]) ^ (a & h[2]) ^ (h[1] & h[2]))) | 0;
      h.pop();
      h.unshift((t1 + t2) | 0);
      h[4] = (h[4] + t1) | 0;
    }
    h.forEach((x, i) => {
      state[i] = (state[i] + x) | 0;
    });
  }
  return state.map((x) => (x >>> 0).toString(16).padStart(8, '0')).join('');
}

const asUuid = (hex) =>
  [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20, 32)].join('-');

/** The id of the n-th event of a page load, from the device's token and the page's tag. */
export function eventId(token, tag, n) {
  return asUuid(sha256(`${token}:${tag}:${n}`));
}

/** So many random bytes, in hex. */
export function randomHex(bytes) {
  return Array.from(crypto.getRandomValues(new Uint8Array(bytes)), (b) => b.toString(16).padStart(2, '0')).join('');
}

/** A random id for a report. */
export const randomUuid = () => asUuid(randomHex(16));
