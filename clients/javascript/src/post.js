// One request to the collector, and what it answers.

const TIMEOUT = 30000; // ms, to the end of the answer

/**
 * Post a parcel. Returns the answer's `status`, what it `said` of when to come again, the events that
 * are `invalid`, and those in `error`, which no schema judged; null where none came in time.
 * `leaving`: it shall outlive the page.
 */
export async function post(url, body, leaving) {
  const enough = new AbortController();
  const clock = setTimeout(() => enough.abort(), TIMEOUT);
  try {
    // As text, so that no browser asks first whether it may.
    const answer = await fetch(`${url}/v1/events`, {
      method: 'POST', body, mode: 'cors', credentials: 'include', keepalive: leaving,
      signal: enough.signal,
      headers: { 'Content-Type': 'text/plain' },
    });
    const { invalid, error } = answer.status === 201 ? {} : await refusals(answer);
    return {
      status: answer.status,
      said: answer.headers.get('Retry-After'),
      invalid: Array.isArray(invalid) ? invalid : [],
      error: Array.isArray(error) ? error : [],
    };
  } catch (error) {
    return null;
  } finally {
    clearTimeout(clock);
  }
}

async function refusals(answer) {
  try {
    return (await answer.json()) || {};
  } catch (error) {
    return {};
  }
}
