const maxSeconds = 86_400;

/** The value of a `Retry-After` (RFC 9110 §10.2.3) in seconds, of a day at most; undefined for what is none. */
export function readRetryAfter(value: string | null): string | undefined {
  if (value === null) return undefined;
  if (/^\d{1,9}$/.test(value)) return String(Math.min(Number(value), maxSeconds));
  if (!/^[A-Z][a-z]{2}, \d\d [A-Z][a-z]{2} \d{4} \d\d:\d\d:\d\d GMT$/.test(value)) return undefined;
  const seconds = Math.ceil((Date.parse(value) - Date.now()) / 1_000);
  return Number.isNaN(seconds) ? undefined : String(Math.min(Math.max(seconds, 0), maxSeconds));
}
