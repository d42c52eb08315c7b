import { monitorEventLoopDelay } from "node:perf_hooks";
import process from "node:process";
import { aCount, aTimeoutMs, readOptions } from "@firmshake/core/gate";

/** From where on a process counts as overloaded. Each limit is off with 0, which is the default. */
export interface OverloadOptions {
  /** How late the event loop may be, in milliseconds, on average over `sampleMs`. */
  readonly maxEventLoopDelayMs?: number;
  /** How many bytes of the heap may be in use; what Node would end the process for is `v8.getHeapStatistics().heap_size_limit`. */
  readonly maxHeapUsedBytes?: number;
  /** How many bytes of memory the process may have, buffers included. */
  readonly maxRssBytes?: number;
  /** How often it is looked at, in milliseconds. Default 500. */
  readonly sampleMs?: number;
}

/** Looks at the process's load from time to time; to be asked costs nothing. */
export interface LoadWatch {
  /** What there is too much of, in words for a log; undefined while all is well. */
  readonly excess: string | undefined;
  readonly stop: () => void;
}

// Taken at load: tests of applications replace the globals by faked ones.
const { setInterval, clearInterval } = globalThis;

/** The histogram counts from one tick of its own timer to the next. */
const resolutionMs = 10;

/**
 * Watches until it is stopped, and holds no process up.
 *
 * @throws {@link ConfigError} for options that are not as described.
 */
export function watchLoad(options: OverloadOptions): LoadWatch {
  const {
    maxEventLoopDelayMs = 0,
    maxHeapUsedBytes = 0,
    maxRssBytes = 0,
    sampleMs = 500,
  } = readOptions<OverloadOptions>("attach.overload", options, {
    maxEventLoopDelayMs: aCount,
    maxHeapUsedBytes: aCount,
    maxRssBytes: aCount,
    sampleMs: aTimeoutMs,
  });
  const delays = monitorEventLoopDelay({ resolution: resolutionMs });
  const timer = setInterval(sample, sampleMs).unref();
  let excess: string | undefined;
  delays.enable();
  sample();

  function sample(): void {
    // Without a tick since the last look there is no mean, and nothing was late.
    const meanMs = delays.count === 0 ? 0 : delays.mean / 1e6;
    const delayMs = Math.max(0, Math.round(meanMs - resolutionMs));
    delays.reset();
    const { heapUsed, rss } = process.memoryUsage();
    excess = [
      excessOf("the event loop is late by", delayMs, maxEventLoopDelayMs, "ms"),
      excessOf("the heap has", heapUsed, maxHeapUsedBytes, "bytes"),
      excessOf("the process has", rss, maxRssBytes, "bytes"),
    ].find((found) => found !== undefined);
  }

  return {
    get excess() {
      return excess;
    },
    stop: () => {
      clearInterval(timer);
      delays.disable();
    },
  };
}

const excessOf = (what: string, found: number, most: number, unit: string): string | undefined =>
  most > 0 && found > most ? `${what} ${found} ${unit} (limit ${most})` : undefined;
