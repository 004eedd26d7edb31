// Which page loads live: each holds a lock of its own name, where there are locks.

const DEAD = 600000; // ms; without locks: a page that kept nothing for so long lives no more

/** Says that a page lives: `begin` it, and `end` it when the page is left. */
export function openLife(name) {
  let release = null;
  return {
    begin() {
      if (!navigator.locks || release) return;
      navigator.locks.request(name, () => new Promise((done) => (release = done))).catch(() => {});
    },
    end() {
      if (release) release();
      release = null;
    },
  };
}

/** Do it where the page of that name lives no more; it kept something last at `at`. */
export async function afterLife(name, at, work) {
  if (navigator.locks) {
    await navigator.locks.request(name, { ifAvailable: true }, (lock) => lock && work());
  } else if (!(Math.abs(Date.now() - at) < DEAD)) {
    work();
  }
}
