// When to try again, and what an answer means for what was sent.

const FIRST = 1000;
const LONGEST = 300000;

/** Milliseconds to wait before try `attempt` (from 1 on); `said` is Retry-After, `jitter` 0 to 1. */
export function delay(attempt, said, jitter) {
  const asked = /^\d+$/.test(said || '') ? Number(said) * 1000 : 0;
  const grown = Math.min(LONGEST, FIRST * 2 ** Math.min(attempt - 1, 20));
  return Math.min(LONGEST, Math.max(asked, Math.round(grown * (0.5 + jitter / 2))));
}

/** What an answer's status means: settled, split or again. */
export function meaning(status) {
  if (status === 201 || status === 207 || status === 400 || status === 202) return 'settled';
  return status === 413 ? 'split' : 'again';
}
