// How long this page view took, from the Performance API, in the fields of the schema NavigationTiming.

const MARKS = [
  'connectStart', 'connectEnd', 'fetchStart', 'requestStart', 'responseStart', 'responseEnd',
  'secureConnectionStart', 'domInteractive', 'domComplete', 'loadEventStart', 'loadEventEnd',
];

/** The payload of one page view, from a PerformanceNavigationTiming entry. */
export function timingOf(entry, more = {}) {
  const event = { isHttps: location.protocol === 'https:', isHiDPI: devicePixelRatio > 1.5 };
  for (const name of MARKS) if (entry[name] > 0) event[name] = Math.round(entry[name]);
  if (entry.domainLookupEnd > 0) event.dnsLookup = Math.round(entry.domainLookupEnd - entry.domainLookupStart);
  if (entry.redirectCount) {
    event.redirectCount = entry.redirectCount;
    event.redirecting = Math.round(entry.redirectEnd - entry.redirectStart);
  }
  if (entry.unloadEventEnd > 0) event.unload = Math.round(entry.unloadEventEnd - entry.unloadEventStart);
  const paint = performance.getEntriesByName('first-paint')[0];
  if (paint) event.firstPaint = Math.round(paint.startTime);
  return { ...event, ...more };
}

/** Log NavigationTiming once, when the page has loaded. `more` are fields that only the site knows. */
export function logNavigationTiming(eventLog, more = {}, schema = 'NavigationTiming') {
  const ready = () => {
    const [entry] = performance.getEntriesByType('navigation');
    if (entry && entry.loadEventEnd > 0) eventLog.log(schema, timingOf(entry, more));
  };
  // The end of the load event is known only after it.
  const later = () => setTimeout(ready, 0);
  if (document.readyState === 'complete') later();
  else addEventListener('load', later, { once: true });
}
