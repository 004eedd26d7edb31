// Whether the person has said no, in any of the ways there are.

const COOKIE = 'eventlogging_opt_out';
const KEY = 'eventLogging.optOut';
const YEARS = 60 * 60 * 24 * 400; // as long as browsers keep a cookie

/** Whether signals of the browser, its cookies and its storage say no. */
export function saidNo({ gpc, dnt, cookie, stored }) {
  if (gpc === true || gpc === '1' || dnt === '1' || dnt === 'yes' || stored) return true;
  return (cookie || '').split(';').some((one) => {
    const [name, value = ''] = one.split('=');
    return name.trim() === COOKIE && !['', '0', '"0"', '""'].includes(value.trim());
  });
}

/** Whether this browser says no. */
export function optedOut(storage) {
  return saidNo({
    gpc: navigator.globalPrivacyControl,
    dnt: navigator.doNotTrack || window.doNotTrack,
    cookie: document.cookie,
    stored: storage.get(KEY),
  });
}

/** Remember a no, or that it is taken back. */
export function remember(storage, no) {
  document.cookie = `${COOKIE}=${no ? 1 : 0}; Max-Age=${no ? YEARS : 0}; Path=/; SameSite=Lax`;
  if (no) storage.set(KEY, 1);
  else storage.remove(KEY);
}
