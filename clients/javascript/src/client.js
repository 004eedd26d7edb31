// The client: what is logged is sent, or accounted for; the page never notices.

import { delay, meaning } from './backoff.js';
import { optedOut, remember } from './consent.js';
import { openDevice } from './device.js';
import { afterLife, openLife } from './life.js';
import { post } from './post.js';
import { NAME, openRecord, PARCEL, RECORD } from './record.js';
import { inSample } from './sampling.js';
import { openStorage, PREFIX } from './storage.js';

const BATCH = 20; // events that do not wait for company
const AGE = 2000; // ms that an event waits for company, unless the page says otherwise
const CONFIG_AGE = 300000;
const CONFIG_WAIT = 5000;

/** Make a client. `options.url` is the collector; see README.md for the others. */
export function createEventLog(options = {}) {
  const url = String(options.url || '').replace(/\/+$/, '');
  const storage = openStorage(options.storage);
  const age = options.age || AGE;
  const reportAge = 5 * age; // that counts wait for events to travel with
  const no = (schema) => optedOut(storage, schema);
  const device = openDevice(storage, options.units || {});
  const record = openRecord(storage, device.page, no, say);
  const life = openLife(RECORD + device.page);
  const anything = { url, at: 0, schemas: {} }; // the config where none is known: the collector samples
  let sending = false;
  let attempt = 0;
  let timer = 0;
  let due = 0;
  let notBefore = 0; // while the collector is given peace
  let asked = 0; // the same, where it asked for it
  let config = null;
  let undecided = []; // logged before the config was known

  const now = () => performance.now(); // for the pace: no setting of the clock holds anything up
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

  // ------------------------------------------------------------------ what is logged

  const log = safely((schema, event, more) => {
    record.count(schema, 'attempted');
    return orDrop(schema, () => accept(schema, event, more || {}));
  });

  /** Do it; where it fails, the event is counted as dropped, and no other suffers. */
  function orDrop(schema, work) {
    try {
      return work();
    } catch (error) {
      record.drop(schema, 'it cannot be told', error);
      record.keep();
      return undefined;
    }
  }

  function accept(schema, event, more) {
    if (no(schema)) {
      record.count(schema, 'suppressed');
      say(schema, 'suppressed: opted out');
      return silence(!no() && schema);
    }
    if (typeof event !== 'object' || !event) throw new TypeError('an event is an object');
    const given = { schema, event, id: more.id, dt: more.dt || new Date().toISOString(), client: NAME };
    for (const key of ['version', 'host', 'wiki']) {
      const value = more[key] || options[key];
      if (value) given[key] = value;
    }
    if (!given.host && location.host) given.host = location.host;
    // As it is now, whatever the page does with it later.
    const capsule = JSON.parse(JSON.stringify(given));
    if (capsule.event === undefined) throw new TypeError('it is not JSON');
    if (!capsule.id) capsule.id = device.newId();
    if (config) decide(capsule);
    else undecided.push(capsule);
    return capsule.id;
  }

  function decide(capsule) {
    const known = config.schemas[capsule.schema];
    const { rate = 1, unit = 'pageview' } = (known && known.sampling) || {};
    if (rate < 1) {
      const unit_id = device.unitId(unit);
      if (!inSample(unit_id, rate)) {
        record.count(capsule.schema, 'sampled_out');
        record.keep();
        wake(reportAge);
        return;
      }
      capsule.sample_rate = rate;
      capsule.sample_unit_id = unit_id;
    }
    const size = new TextEncoder().encode(JSON.stringify(capsule)).length + 1;
    if (size > PARCEL) {
      record.drop(capsule.schema, 'it is too large');
      record.keep();
      return;
    }
    record.add({ schema: capsule.schema, size, capsule });
    wakeForEvents();
  }

  function decideAll() {
    if (no()) return silence();
    const waiting = undecided;
    undecided = [];
    for (const one of waiting) orDrop(one.schema, () => decide(one));
    return undefined;
  }

  // ------------------------------------------------------------------ what is sent

  function wake(ms) {
    const at = Math.max(now() + ms, notBefore);
    if (timer && due <= at) return;
    clearTimeout(timer);
    due = at;
    timer = setTimeout(() => {
      timer = 0;
      send(false);
    }, at - now());
  }

  const wakeForEvents = () => wake(record.waiting() >= BATCH ? 0 : age);

  const hasWork = () => record.waiting() || record.hasCounts();

  const send = safely(async (leaving, most = Infinity) => {
    if (no()) return silence();
    if (sending || !hasWork()) return undefined;
    if (now() < asked) return wake(0);
    record.schemas().forEach((schema) => no(schema) && silence(schema));
    const parcel = record.pack(most);
    sending = true;
    const events = parcel.events.map((one) => one.capsule);
    const body = JSON.stringify({ events, consent: true, counters: parcel.report || undefined });
    const answer = await post(url, body, leaving);
    sending = false;
    heard(parcel, answer, leaving);
    return no() ? silence() : undefined;
  });

  /** What an answer means for what was sent; null where there was none. */
  function heard(parcel, answer, leaving) {
    const { status, said, invalid, error } = answer || { invalid: [], error: [] };
    const refused = [...invalid, ...error];
    const number = parcel.events.length;
    let then = meaning(status);
    // Refused as a whole, for one event's sake: the others go without it.
    if (status === 400 && refused.length < number) then = 'split';
    if (then === 'settled') {
      // Where the body may not have been read at all, the report goes once more, under its id.
      const told = parcel.report && (status !== 400 || !number || invalid.length > 0);
      attempt = notBefore = asked = 0;
      record.settle(parcel, 'sent', told);
      if (record.waiting()) wakeForEvents();
      else if (record.hasCounts()) wake(reportAge);
      if (told) adopt();
      for (const one of refused) tell(one, parcel.events[one.index]);
    } else if (then === 'split' && number > 1) {
      send(leaving, Math.ceil(number / 2));
    } else if (then === 'split' && number) {
      record.settle(parcel, 'dropped');
      wake(0);
    } else {
      attempt++;
      const ms = delay(attempt, said, Math.random());
      say(`not sent, next try in ${Math.round(ms / 1000)} s`, status || 'no answer');
      notBefore = now() + ms;
      asked = said ? notBefore : 0;
      clearTimeout(timer); // it may be due before
      timer = 0;
      wake(ms);
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
    config = config || anything;
    return decideAll();
  });

  // ------------------------------------------------------------------ pages come and go

  /** Take over what pages left behind that live no more. After a no, what the living keep goes as well. */
  const adopt = safely(async () => {
    const keys = storage.keys(RECORD).filter((key) => key !== RECORD + device.page);
    const left = keys.map((key) => storage.get(key));
    const gone = no();
    if (gone) keys.forEach(storage.remove);
    for (const [n, key] of keys.entries()) {
      const take = safely(() => record.takeOver(key, gone ? left[n] : storage.get(key)));
      await afterLife(key, (left[n] || {}).at, take);
    }
    if (hasWork() && !no()) wake(0);
  });

  const leave = safely(() => {
    if (no()) return silence();
    config = config || anything;
    decideAll();
    record.keep();
    return send(true);
  });

  const away = safely(() => {
    leave();
    life.end(); // so that the page may be kept for going back, and others take over
  });

  const back = safely((event) => {
    if (!event.persisted) return undefined;
    record.again();
    sending = false;
    life.begin();
    if (no()) return silence();
    if (hasWork()) wake(0);
    return adopt();
  });

  // ------------------------------------------------------------------ a no

  const named = (said) => typeof said === 'string' && said; // a click on a button says an event

  /** Of one who says no, to a schema or to all, what waits is not sent, and only counted. */
  function silence(schema) {
    undecided = record.suppress(schema, undecided);
    if (schema) return wake(reportAge);
    device.forget();
    adopt(); // and with it what other pages left
    return undefined;
  }

  const heed = safely(() => no() && silence()); // the no may have been said elsewhere

  /** Log no more on this device; what waits is not sent, and what tells the device is forgotten. */
  const optOut = safely((said) => {
    remember(storage, true, named(said));
    silence(named(said));
  });

  /** Log again. Returns whether nothing else says no: the browser itself, or a cookie of the domain. */
  const optIn = safely((said) => {
    remember(storage, false, named(said));
    if (no(named(said))) return false;
    wake(0);
    return true;
  });

  const flush = safely(() => send(false));

  const start = safely(() => {
    life.begin();
    addEventListener('pagehide', away);
    addEventListener('pageshow', back);
    addEventListener('storage', heed);
    document.addEventListener('visibilitychange', () => (document.visibilityState === 'hidden' ? leave() : heed()));
    if (no()) {
      config = anything;
      silence();
    } else {
      readConfig();
      adopt();
    }
  });

  if (typeof window !== 'undefined') start();

  return {
    log, flush, optOut, optIn,
    isOptedOut: no,
    mine: device.mine,
    /** What waits here, and what was counted since the last report. */
    state: () => JSON.parse(JSON.stringify({ ...record.state(), undecided, durable: storage.durable })),
  };
}
