// The single file for a script element: `eventLog`, set up from the element's own address.

import { createEventLog } from './client.js';
import { logNavigationTiming } from './navigation-timing.js';

const script = document.currentScript;
const said = (script && script.dataset) || {};

window.eventLog = createEventLog({
  url: said.url || (script && script.src ? new URL(script.src).origin : ''),
  wiki: said.wiki,
  host: said.host,
  age: Number(said.age),
  debug: said.debug !== undefined,
});
window.eventLog.navigationTiming = (more) => logNavigationTiming(window.eventLog, more);
