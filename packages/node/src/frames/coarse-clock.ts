// Taken at load: tests of applications replace the globals by faked ones.
const { setTimeout } = globalThis;
const now = performance.now.bind(performance);

/** How old a time may be, unless the process is busy. */
const staleMs = 50;

let time = 0;
let isFresh = false;
let timer: NodeJS.Timeout | undefined;

/**
 * Milliseconds since the process began, as a whole number. Read anew when the event loop comes round after 50 ms: asking the system for
 * every chunk would be a good part of what metering costs. Nothing ticks while nobody asks.
 */
export function coarseNow(): number {
  return isFresh ? time : preciseNow();
}

/** The same, and not older than this. Never goes back. */
export function preciseNow(): number {
  time = Math.floor(now());
  if (!isFresh) {
    isFresh = true;
    if (timer === undefined) timer = setTimeout(expire, staleMs).unref();
    else timer.refresh();
  }
  return time;
}

function expire(): void {
  isFresh = false;
}
