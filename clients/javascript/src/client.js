// The client: what is logged is sent, or accounted for; the page never notices.

import { delay, meaning } from './backoff.js';
import { optedOut, remember } from './consent.js';
import { eventId, randomHex, randomUuid, sha256 } from './ids.js';
import { inSample } from './sampling.js';
import { openStorage } from './storage.js';

const NAME = 'eventlogging-js/1.0.0';
const PREFIX = 'eventLogging.';
const RECORD = PREFIX + 'page.';
const KINDS = ['attempted', 'sampled_out', 'suppressed', 'dropped', 'sent'];
const MOST_EVENTS = 500; // that wait
const MOST_BYTES = 200000; // of them
const PARCEL = 50000; // bytes of events; a beacon takes 64 kB with all around it
const BATCH = 20; // events that do not wait for company
const AGE = 2000; // ms that an event waits for company, unless the page says otherwise
const CONFIG_AGE = 300000;
const CONFIG_WAIT = 5000;
const TIMEOUT = 30000;
const DEAD = 600000; // without locks: a page that kept nothing for so long lives no more
const MOST_PAGES = 400;
const PAGE_DAYS = 90;

const UNKNOWN = '(unknown)'; // as the ledger books what names no schema
const NAMED = /^[A-Za-z][\w.\-/]{0,63}$/;
const MOST_NAMES = 100; // in a report

const today = () => new Date().toISOString().slice(0, 10);

/** Make a client. `options.url` is the collector; see README.md for the others. */
export function createEventLog(options = {}) {
  const url = String(options.url || '').replace(/\/+$/, '');
  const storage = openStorage(options.storage);
  const age = options.age || AGE;
  const reportAge = 5 * age; // that counts wait for events to travel with
  const page = randomHex(8); // this page load
  let record = { events: [], counts: {}, report: null };
  let made = 0; // ids
  let sending = false;
  let attempt = 0;
  let timer = 0;
  let due = 0;
  let notBefore = 0; // while the collector asks for patience
  let config = null;
  let release = null; // of the lock that says that this page lives
  let undecided = []; // logged before the config was known

  const fault = (error) => say('a fault of the client', error);
  const safely =
    (work) =>
    (...given) => {
      try {
        const done = work(...given);
        return done && done.catch ? done.catch(fault) : done;
      } catch (error) {
        return fault(error);
      }
    };

  function say(...words) {
    if (options.debug) console.info('[eventLogging]', ...words);
  }

  function count(schema, kind, number = 1) {
    const many = Object.keys(record.counts).length >= MOST_NAMES && !(schema in record.counts);
    const name = many || !NAMED.test(schema) || schema in {} ? UNKNOWN : schema;
    const of = (record.counts[name] = record.counts[name] || {});
    of[kind] = (of[kind] || 0) + number;
  }

  const no = (schema) => optedOut(storage, schema);

  // ------------------------------------------------------------------ what is kept

  const hasCounts = () => record.report || Object.keys(record.counts).length > 0;

  function keep() {
    record.at = Date.now();
    if (record.events.length || hasCounts()) storage.set(RECORD + page, record);
    else storage.remove(RECORD + page);
  }

  function bound() {
    let bytes = 0;
    let first = record.events.length;
    while (first > 0 && record.events.length - first < MOST_EVENTS) {
      bytes += record.events[first - 1].size;
      if (bytes > MOST_BYTES) break;
      first--;
    }
    for (const old of record.events.splice(0, first)) {
      count(old.schema, 'dropped');
      say(old.schema, 'dropped: too much waits');
    }
  }

  function token() {
    let known = storage.get(PREFIX + 'token');
    if (!known) storage.set(PREFIX + 'token', (known = randomHex(16)));
    return known;
  }

  function newId() {
    const id = eventId(token(), page, made++);
    const oldest = new Date(Date.now() - PAGE_DAYS * 86400000).toISOString().slice(0, 10);
    const others = (storage.get(PREFIX + 'pages') || []).filter(
      (one) => one[0] >= oldest && one[1] !== page,
    );
    storage.set(PREFIX + 'pages', [...others, [started, page, made]].slice(-MOST_PAGES));
    return id;
  }

  const started = today();

  // ------------------------------------------------------------------ what is logged

  function unitId(unit) {
    if (options.units && options.units[unit]) return String(options.units[unit]);
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

  const log = safely((schema, event, more = {}) => {
    count(schema, 'attempted');
    if (no(schema)) {
      count(schema, 'suppressed');
      say(schema, 'suppressed: opted out');
      silence(!no() && schema);
      return undefined;
    }
    const text = textOf(event);
    if (text === undefined) {
      count(schema, 'dropped');
      say(schema, 'dropped: it is not JSON');
      keep();
      return undefined;
    }
    const id = more.id || newId();
    const dt = more.dt || new Date().toISOString();
    const capsule = { schema, event: JSON.parse(text), id, dt, client: NAME };
    for (const key of ['version', 'host', 'wiki']) {
      const value = more[key] || options[key];
      if (value) capsule[key] = value;
    }
    if (!capsule.host && location.host) capsule.host = location.host;
    if (config) decide(capsule);
    else undecided.push(capsule);
    return id;
  });

  function textOf(event) {
    try {
      return typeof event === 'object' && event ? JSON.stringify(event) : undefined;
    } catch (error) {
      return undefined;
    }
  }

  function decide(capsule) {
    const known = config.schemas[capsule.schema];
    const { rate = 1, unit = 'pageview' } = (known && known.sampling) || {};
    if (rate < 1) {
      const unit_id = unitId(unit);
      if (!inSample(unit_id, rate)) {
        count(capsule.schema, 'sampled_out');
        keep();
        wake(reportAge);
        return;
      }
      capsule.sample_rate = rate;
      capsule.sample_unit_id = unit_id;
    }
    const size = new TextEncoder().encode(JSON.stringify(capsule)).length + 1;
    if (size > PARCEL) {
      count(capsule.schema, 'dropped');
      say(capsule.schema, 'dropped: it is too large');
      keep();
      return;
    }
    record.events.push({ schema: capsule.schema, size, capsule });
    bound();
    keep();
    wake(record.events.length >= BATCH ? 0 : age);
  }

  function decideAll() {
    const waiting = undecided;
    undecided = [];
    waiting.forEach(decide);
  }

  // ------------------------------------------------------------------ what is sent

  function wake(ms) {
    const at = Math.max(Date.now() + ms, notBefore);
    if (timer && due <= at) return;
    clearTimeout(timer);
    due = at;
    timer = setTimeout(() => {
      timer = 0;
      send(false);
    }, at - Date.now());
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
    return { events: record.events.slice(0, number), report: record.report };
  }

  function bodyOf(parcel) {
    return JSON.stringify({
      events: parcel.events.map((one) => one.capsule),
      consent: true,
      counters: parcel.report || undefined,
    });
  }

  const send = safely(async (leaving, most = Infinity) => {
    if (sending || no()) return;
    record.events.forEach((one) => no(one.schema) && silence(one.schema));
    const parcel = pack(most);
    if (!parcel.events.length && !parcel.report) return;
    sending = true;
    keep(); // the report has its id now, whatever happens to the page
    const answer = await post(bodyOf(parcel), leaving);
    const refused = answer && answer.status !== 201 ? await refusals(answer) : [];
    sending = false;
    if (no()) return;
    let then = answer ? meaning(answer.status) : 'again';
    // Refused as a whole, for one event's sake: the others go without it.
    if (answer && answer.status === 400 && refused.length < parcel.events.length) then = 'split';
    if (then === 'settled') {
      attempt = notBefore = 0;
      settle(parcel);
      for (const one of refused) tell(one, parcel.events[one.index]);
      if (record.events.length) wake(record.events.length >= BATCH ? 0 : age);
      else if (hasCounts()) wake(reportAge);
      if (parcel.report) adopt();
    } else if (then === 'split' && parcel.events.length > 1) {
      send(leaving, Math.ceil(parcel.events.length / 2));
    } else if (then === 'split') {
      settle(parcel, 'dropped');
      wake(0);
    } else {
      attempt++;
      const said = answer && answer.headers.get('Retry-After');
      const ms = delay(attempt, said, Math.random());
      say(`not sent, next try in ${Math.round(ms / 1000)} s`, answer ? answer.status : 'no answer');
      notBefore = Date.now() + ms;
      wake(ms);
    }
  });

  function settle(parcel, as = 'sent') {
    // By id: the record may have been read anew since, or taken over by another page.
    const gone = new Set(parcel.events.map((one) => one.capsule.id));
    const settled = record.events.filter((one) => gone.has(one.capsule.id));
    record.events = record.events.filter((one) => !gone.has(one.capsule.id));
    const told = as === 'sent' && parcel.report && record.report;
    if (told && parcel.report.id === record.report.id) record.report = null;
    for (const one of settled) count(one.schema, as);
    keep();
  }

  async function post(body, leaving) {
    const enough = new AbortController();
    const clock = setTimeout(() => enough.abort(), TIMEOUT);
    try {
      // As text, so that no browser asks first whether it may.
      const answer = await fetch(`${url}/v1/events`, {
        method: 'POST', body, mode: 'cors', credentials: 'include', keepalive: leaving,
        signal: leaving ? undefined : enough.signal,
        headers: { 'Content-Type': 'text/plain' },
      });
      return answer;
    } catch (error) {
      return null;
    } finally {
      clearTimeout(clock);
    }
  }

  async function refusals(answer) {
    try {
      const body = await answer.json();
      return [...(body.invalid || []), ...(body.error || [])];
    } catch (error) {
      return [];
    }
  }

  function tell(one, sent) {
    const errors = (one.context && one.context.errors) || [];
    const paths = errors.map((e) => `${e.pointer || '/'}: ${e.found}, expected ${e.expected}`);
    say(`${sent ? sent.schema : ''} refused: ${one.code}`, ...paths, sent && sent.capsule);
  }

  // ------------------------------------------------------------------ the config

  const readConfig = safely(async () => {
    const known = storage.get(PREFIX + 'config');
    if (known && known.url === url && known.schemas) config = known;
    if (config && Math.abs(Date.now() - config.at) < CONFIG_AGE) return decideAll();
    const enough = new AbortController();
    const clock = setTimeout(() => enough.abort(), CONFIG_WAIT);
    try {
      const answer = await fetch(`${url}/v1/config`, { signal: enough.signal });
      const found = await answer.json();
      if (found && typeof found.schemas === 'object' && found.schemas) {
        config = { url, at: Date.now(), schemas: found.schemas };
        if (!no()) storage.set(PREFIX + 'config', config);
      }
    } catch (error) {
      say('no config: the collector samples');
    }
    clearTimeout(clock);
    config = config || { url, at: 0, schemas: {} };
    return decideAll();
  });

  // ------------------------------------------------------------------ pages come and go

  /** Take over what pages left behind that live no more. */
  const adopt = safely(async () => {
    for (const key of storage.keys(RECORD)) {
      if (key === RECORD + page) continue;
      const take = safely(() => {
        const left = storage.get(key);
        if (!left || !Array.isArray(left.events)) return storage.remove(key);
        if (!navigator.locks && Math.abs(Date.now() - left.at) < DEAD) return undefined;
        if (!left.events.length && !Object.keys(left.counts).length && record.report) return undefined;
        record.events.unshift(...left.events);
        for (const [schema, of] of Object.entries(left.counts)) {
          for (const kind of KINDS) if (of[kind]) count(schema, kind, of[kind]);
        }
        // Two reports that may both have arrived go one after the other, each under its own id.
        const rest = record.report && left.report ? { ...left, events: [], counts: {} } : null;
        if (!rest) record.report = record.report || left.report;
        bound();
        keep();
        return rest ? storage.set(key, rest) : storage.remove(key);
      });
      if (navigator.locks) {
        await navigator.locks.request(key, { ifAvailable: true }, (lock) => lock && take());
      } else {
        take();
      }
    }
    if (record.events.length || hasCounts()) wake(0);
  });

  function live() {
    if (!navigator.locks || release) return;
    navigator.locks
      .request(RECORD + page, () => new Promise((done) => (release = done)))
      .catch(() => {});
  }

  const leave = safely(() => {
    config = config || { url, at: 0, schemas: {} };
    decideAll();
    keep();
    attempt = 0;
    send(true);
  });

  const away = safely(() => {
    leave();
    if (release) release(); // so that the page may be kept for going back, and others take over
    release = null;
  });

  const back = safely((event) => {
    if (!event.persisted) return;
    record = storage.get(RECORD + page) || { events: [], counts: {}, report: null };
    sending = false;
    if (record.events.length || hasCounts()) wake(0);
    live();
    adopt();
  });

  const named = (said) => typeof said === 'string' && said; // a click on a button says an event

  /** Of one who says no, to a schema or to all, what waits is not sent, and only counted. */
  function silence(schema) {
    const stays = (one) => (schema && one.schema !== schema) || count(one.schema, 'suppressed');
    record.events = record.events.filter(stays);
    undecided = undecided.filter(stays);
    keep();
    if (schema) wake(reportAge);
  }

  /** Log no more on this device; what waits is not sent, and what tells the device is forgotten. */
  const optOut = safely((said) => {
    const schema = named(said);
    remember(storage, true, schema);
    if (schema) return silence(schema);
    for (const key of storage.keys(RECORD)) if (key !== RECORD + page) storage.remove(key);
    silence();
    forget();
  });

  /** Forget what tells this device from others. */
  const forget = safely(() => {
    for (const key of ['token', 'pages', 'config']) storage.remove(PREFIX + key);
    sessionStorage.removeItem(PREFIX + 'session');
  });

  /** Log again, unless the browser itself says no. */
  const optIn = safely((said) => {
    remember(storage, false, named(said));
    wake(0);
  });

  const flush = safely(() => send(false));

  if (typeof window !== 'undefined') {
    live();
    addEventListener('pagehide', away);
    addEventListener('pageshow', back);
    document.addEventListener('visibilitychange', () => document.visibilityState === 'hidden' && leave());
    if (!no()) {
      readConfig();
      adopt();
    } else {
      forget(); // the no may have been said elsewhere
      config = { url, at: 0, schemas: {} };
    }
  }

  return {
    log, flush, optOut, optIn,
    isOptedOut: no,
    /** What this device needs to see or erase what it sent. */
    mine: () => ({ token: storage.get(PREFIX + 'token'), pages: storage.get(PREFIX + 'pages') || [] }),
    /** What waits here, and what was counted since the last report. */
    state: () => JSON.parse(JSON.stringify({ ...record, undecided, durable: storage.durable })),
  };
}
