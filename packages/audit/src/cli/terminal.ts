/** Where a command reads and writes; the real process's, but for what a user has turned off. */
export interface Terminal {
  readonly out: (text: string) => void;
  readonly err: (text: string) => void;
  readonly width: number;
  /** Whether standard output takes colours. */
  readonly hasColors: boolean;
  /** Whether a person watches standard error. */
  readonly isWatched: boolean;
}

/** The widest that is pleasant to read. */
const maxWidth = 120;
const pipedWidth = 80;

/** The process's own. `NO_COLOR`, `TERM=dumb` and pipes have no colours; `FORCE_COLOR` has them all the same. */
export function processTerminal(): Terminal {
  const { stdout, stderr, env } = process;
  const isForced = (env.FORCE_COLOR ?? "") !== "" && env.FORCE_COLOR !== "0";
  const isOff = (env.NO_COLOR ?? "") !== "" || env.TERM === "dumb" || env.FORCE_COLOR === "0";
  return {
    out: (text) => void stdout.write(text),
    err: (text) => void stderr.write(text),
    width: Math.min(stdout.isTTY ? stdout.columns || pipedWidth : pipedWidth, maxWidth),
    hasColors: !isOff && (isForced || stdout.isTTY === true),
    isWatched: stderr.isTTY === true && env.TERM !== "dumb" && (env.CI ?? "") === "",
  };
}
