/** How a client is made; `url` is the collector's address, such as https://events.example.org. */
export interface Options {
  url: string;
  /** The site, where it is not the page's own host. At most 255 characters. */
  host?: string;
  wiki?: string;
  /** A version of all schemas; without it the newest is meant. */
  version?: string;
  /** Milliseconds that an event waits for others to travel with; 2000. Counts wait five times that. */
  age?: number;
  /** Print to the console what happens to each event, with the path of what is wrong. */
  debug?: boolean;
  /** Ids of your own to sample by. They travel with sampled events and are never stored. */
  units?: { pageview?: string; session?: string; device?: string };
  /** Where unsent events wait; localStorage unless you say otherwise, null for nowhere. */
  storage?: Storage | null;
}

/** What one event may say for itself. */
export interface More {
  id?: string;
  /** When it happened, ISO 8601; now, where nothing is said. */
  dt?: string;
  version?: string;
  host?: string;
  wiki?: string;
}

export interface EventLog {
  /** Log an event; never throws. Returns its id, or nothing where it is left out. */
  log(schema: string, event: object, more?: More): string | undefined;
  /** Send what waits, now; not while the collector asks for patience. */
  flush(): Promise<void>;
  /** The person says no, to one schema or to all: nothing of it is logged on this device any more. */
  optOut(schema?: string): void;
  /** Log again. False where the browser itself, or a cookie for the whole domain, still says no. */
  optIn(schema?: string): boolean;
  isOptedOut(schema?: string): boolean;
  /** What this device needs to see, or to erase, what it has sent. */
  mine(): { token: string | null; pages: [day: string, tag: string, events: number][] };
  /** What waits here, for those who look into it. */
  state(): object;
}

export function createEventLog(options: Options): EventLog;
/** Whether `unitId` belongs to a sample of `rate`; the same in every client and in the server. */
export function inSample(unitId: string, rate: number): boolean;
/** Log the schema NavigationTiming once the page has loaded. */
export function logNavigationTiming(eventLog: EventLog, more?: object, schema?: string): void;
export function timingOf(entry: PerformanceNavigationTiming, more?: object): object;
