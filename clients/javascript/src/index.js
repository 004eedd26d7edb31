// What a page imports.

export { createEventLog } from './client.js';
export { inSample } from './sampling.js';
export { logNavigationTiming, timingOf } from './navigation-timing.js';
