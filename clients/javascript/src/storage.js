// localStorage that may be full, forbidden or absent: then things live as long as the page.

export const PREFIX = 'eventLogging.';

/** Keys to values; `durable` says whether what is set outlives the page. */
export function openStorage(area) {
  const own = new Map();
  const disk = () => (area === undefined ? window.localStorage : area);
  const it = {
    durable: true,
    get(key) {
      try {
        const text = disk().getItem(key);
        if (text !== null) return JSON.parse(text);
      } catch (error) {
        /* forbidden, or somebody else's text */
      }
      return own.has(key) ? own.get(key) : null;
    },
    set(key, value) {
      try {
        disk().setItem(key, JSON.stringify(value));
        own.delete(key);
        it.durable = true;
      } catch (error) {
        it.remove(key); // what stands there is older
        own.set(key, value);
        it.durable = false;
      }
    },
    remove(key) {
      own.delete(key);
      try {
        disk().removeItem(key);
      } catch (error) {
        /* nothing is there */
      }
    },
    keys(prefix) {
      const found = [];
      try {
        const area = disk();
        for (let i = 0; i < area.length; i++) found.push(area.key(i));
      } catch (error) {
        /* nothing is there */
      }
      return found.filter((key) => key.startsWith(prefix));
    },
  };
  return it;
}
