// What waits to be sent and what was counted: of this page load, kept until the collector has it.

import { randomUuid } from './ids.js';
import { PREFIX } from './storage.js';

export const RECORD = PREFIX + 'page.';
export const NAME = 'eventlogging-js/1.0.0';
export const PARCEL = 50000; // bytes of events; a beacon takes 64 kB with all around it

const KINDS = ['attempted', 'sampled_out', 'suppressed', 'dropped', 'sent'];
const MOST_EVENTS = 500; // that wait
const MOST_BYTES = 200000; // of them
const UNKNOWN = '(unknown)'; // as the ledger books what names no schema
const NAMED = /^[A-Za-z][\w.\-/]{0,63}$/;
const MOST_NAMES = 100; // in a report

/** The record of the page load `page`; `no` says whether the person does, `say` talks to developers. */
export function openRecord(storage, page, no, say) {
  const key = RECORD + page;
  const fresh = () => ({ events: [], counts: {}, report: null });
  let record = fresh();

  function count(schema, kind, number = 1) {
    const named = typeof schema === 'string' && NAMED.test(schema) && !(schema in {});
    const many = Object.keys(record.counts).length >= MOST_NAMES;
    const name = named && !(many && !(schema in record.counts)) ? schema : UNKNOWN;
    const of = (record.counts[name] = record.counts[name] || {});
    of[kind] = (of[kind] || 0) + number;
  }

  const hasCounts = () => record.report || Object.keys(record.counts).length > 0;

  /** Keep it on the disk; of one who says no, what is counted stays in memory. */
  function keep() {
    record.at = Date.now();
    if (!no() && (record.events.length || hasCounts())) storage.set(key, record);
    else storage.remove(key);
  }

  function bound() {
    let bytes = 0;
    let first = record.events.length;
    while (first > 0 && record.events.length - first < MOST_EVENTS) {
      bytes += record.events[first - 1].size;
      if (bytes > MOST_BYTES) break;
      first--;
    }
    for (const old of record.events.splice(0, first)) drop(old.schema, 'too much waits');
  }

  /** Count an event as dropped, and say why. */
  function drop(schema, why, ...more) {
    count(schema, 'dropped');
    say(schema, `dropped: ${why}`, ...more);
  }

  function add(one) {
    record.events.push(one);
    bound();
    keep();
  }

  /** Take a parcel off what waits: its events, and the counts that go with it. */
  function pack(most) {
    let bytes = 0;
    let number = 0;
    while (number < Math.min(record.events.length, most)) {
      bytes += record.events[number].size;
      if (number && bytes > PARCEL) break;
      number++;
    }
    if (!record.report && Object.keys(record.counts).length) {
      record.report = { id: randomUuid(), client: NAME, counts: record.counts };
      record.counts = {};
    }
    keep(); // the report has its id now, whatever happens to the page
    return { events: record.events.slice(0, number), report: record.report };
  }

  /** What went with the parcel is done with: its events, as `as` says, and where it was `told` the report. */
  function settle(parcel, as, told) {
    // By id: the record may have been read anew since, or taken over by another page.
    const gone = new Set(parcel.events.map((one) => one.capsule.id));
    const settled = record.events.filter((one) => gone.has(one.capsule.id));
    record.events = record.events.filter((one) => !gone.has(one.capsule.id));
    if (told && record.report && parcel.report.id === record.report.id) record.report = null;
    for (const one of settled) count(one.schema, as);
    keep();
  }

  /** Of what waits, send nothing of this schema, or of all, and count it. Returns what else waits. */
  function suppress(schema, waiting) {
    const stays = (one) => (schema && one.schema !== schema) || count(one.schema, 'suppressed');
    record.events = record.events.filter(stays);
    const rest = waiting.filter(stays);
    keep();
    return rest;
  }

  /** Take over the record `left` of a page that lives no more, which is kept under `its`. */
  function takeOver(its, left) {
    if (!left || !Array.isArray(left.events)) return storage.remove(its);
    if (!left.events.length && !Object.keys(left.counts).length && record.report) return undefined;
    record.events.unshift(...left.events);
    for (const [schema, of] of Object.entries(left.counts)) {
      for (const kind of KINDS) if (of[kind]) count(schema, kind, of[kind]);
    }
    // Two reports that may both have arrived go one after the other, each under its own id.
    const rest = record.report && left.report ? { ...left, events: [], counts: {} } : null;
    if (!rest) record.report = record.report || left.report;
    if (no()) suppress('', []);
    bound();
    keep();
    return rest && !no() ? storage.set(its, rest) : storage.remove(its);
  }

  /** Read it anew: while the page was away, another may have taken it over. */
  function again() {
    record = storage.get(key) || fresh();
  }

  return {
    count, drop, add, keep, pack, settle, suppress, takeOver, again, hasCounts,
    waiting: () => record.events.length,
    schemas: () => new Set(record.events.map((one) => one.schema)),
    state: () => record,
  };
}
