// Whether the person has said no, in any of the ways there are.

const COOKIE = 'eventlogging_opt_out';
const FOR = COOKIE + '_for'; // names of schemas, with colons between them
const KEY = 'eventLogging.optOut';
const YEARS = 60 * 60 * 24 * 400; // as long as browsers keep a cookie

/** Whether signals of the browser, its cookies and its storage say no, to a schema or to all. */
export function saidNo({ gpc, dnt, cookie, stored }, schema) {
  if (gpc === true || gpc === '1' || dnt === '1' || dnt === 'yes' || stored) return true;
  return (cookie || '').split(';').some((one) => {
    const [name, ...rest] = one.split('=').map((text) => text.trim());
    const value = rest.join('=');
    if (name === FOR) return value.replace(/"/g, '').split(':').includes(schema);
    return name === COOKIE && !['', '0', '"0"', '""'].includes(value);
  });
}

/** The cookies; a frame in a sandbox has none, and throws where one looks. */
function cookies() {
  try {
    return document.cookie;
  } catch (error) {
    return '';
  }
}

/** Whether this browser says no, to a schema or to all. */
export function optedOut(storage, schema) {
  return saidNo(
    {
      gpc: navigator.globalPrivacyControl,
      dnt: navigator.doNotTrack || window.doNotTrack,
      cookie: cookies(),
      stored: storage.get(KEY),
    },
    schema,
  );
}

/** Remember a no, or that it is taken back: to a schema, or to all. */
export function remember(storage, no, schema) {
  if (schema) {
    // More than one such cookie may be there: of this host, and of the whole domain.
    const said = cookies().split(FOR + '=').slice(1).flatMap((one) => one.split(';')[0].split(':'));
    const names = new Set(said.filter((one) => one && one !== schema));
    set(FOR, [...names, ...(no ? [schema] : [])].join(':'));
  } else {
    set(COOKIE, no ? 1 : '');
    if (no) storage.set(KEY, 1);
    else storage.remove(KEY);
  }
}

function set(name, value) {
  try {
    document.cookie = `${name}=${value}; Max-Age=${value ? YEARS : 0}; Path=/; SameSite=Lax`;
  } catch (error) {
    /* then the storage alone remembers */
  }
}
