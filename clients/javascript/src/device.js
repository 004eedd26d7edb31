// What tells this device and this page load from others, and the ids that follow from it.

import { eventId, randomHex, sha256 } from './ids.js';
import { PREFIX } from './storage.js';

const MOST_PAGES = 400;
const PAGE_DAYS = 90;

const dayOf = (time) => time.toISOString().slice(0, 10);

/** Ids of events and of what is sampled; `units` are ids of the page's own to sample by. */
export function openDevice(storage, units = {}) {
  const page = randomHex(8); // this page load
  const started = dayOf(new Date());
  let made = 0; // ids

  function token() {
    let known = storage.get(PREFIX + 'token');
    if (!known) storage.set(PREFIX + 'token', (known = randomHex(16)));
    return known;
  }

  function newId() {
    const id = eventId(token(), page, made++);
    const oldest = dayOf(new Date(Date.now() - PAGE_DAYS * 86400000));
    const others = (storage.get(PREFIX + 'pages') || []).filter(
      (one) => one[0] >= oldest && one[1] !== page,
    );
    storage.set(PREFIX + 'pages', [...others, [started, page, made]].slice(-MOST_PAGES));
    return id;
  }

  /** The id by which is decided what is in the sample. */
  function unitId(unit) {
    if (units[unit]) return String(units[unit]);
    if (unit === 'device') return sha256(`${token()}:device`);
    if (unit !== 'session') return page;
    try {
      let id = sessionStorage.getItem(PREFIX + 'session');
      if (!id) sessionStorage.setItem(PREFIX + 'session', (id = randomHex(16)));
      return id;
    } catch (error) {
      return page;
    }
  }

  /** Forget what tells this device from others. */
  function forget() {
    for (const key of ['token', 'pages', 'config']) storage.remove(PREFIX + key);
    try {
      sessionStorage.removeItem(PREFIX + 'session');
    } catch (error) {
      /* nothing is there */
    }
  }

  /** What this device needs to see or erase what it sent. */
  const mine = () => ({ token: storage.get(PREFIX + 'token'), pages: storage.get(PREFIX + 'pages') || [] });

  return { page, newId, unitId, forget, mine };
}
