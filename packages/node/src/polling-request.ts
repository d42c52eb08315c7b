import type { IncomingMessage } from "node:http";
import { compilePath } from "@firmshake/core/gate";

/** Which HTTP requests are held besides upgrades. */
export type PollingOption = "auto" | false | readonly string[];

/** Whether a request is one of an HTTP fallback, and no preflight for it. */
export type PollingTest = (request: IncomingMessage) => boolean;

/** Compiles the option; the paths are read as routes are. */
export function pollingTest(option: PollingOption): PollingTest {
  if (option === false) return () => false;
  const holdsPath = option === "auto" ? () => false : pathTest(option);
  return (request) => {
    const target = request.url ?? "";
    return (asksForPolling(target) || holdsPath(target)) && !isPreflight(request);
  };
}

/**
 * Whether Engine.IO could take the target for one of its polling requests: a parameter `transport` that is `polling`, in whatever
 * spelling, at whatever place, among whatever others. More is taken for one than Engine.IO would, never less.
 */
export function asksForPolling(target: string): boolean {
  const mark = target.indexOf("?");
  if (mark === -1) return false;
  const query = target.slice(mark + 1);
  return (
    saysPolling.test(query) || (isDisguised.test(query) && saysPolling.test(inPlainLetters(query)))
  );
}

const saysPolling = /(?:^|[&;#?])transport=polling(?:[&;#]|$)/;
const isDisguised = /%|[^!-~]/;

/**
 * What parsers leave out (`URL` tabs and line ends, Node's older one blanks at the end, no-break spaces among them) is left out wherever it
 * stands. Of what is encoded printable ASCII alone is decoded: of nothing else could the words be made.
 */
const inPlainLetters = (query: string): string =>
  query
    .replace(/[^!-~]+/g, "")
    .replace(/%([2-7][\da-f])/gi, (_, code: string) => String.fromCharCode(parseInt(code, 16)));

/**
 * Libraries find their paths by parsers that mend: they resolve dots, decode letters, take off an authority. A target that needs
 * mending is held if it could come out at or below one of the paths; then it is refused, since no such target is a valid one.
 */
function pathTest(patterns: readonly string[]): (target: string) => boolean {
  for (const pattern of patterns) compilePath("attach", pattern);
  const tests = patterns.map((pattern) => compilePath("attach", pattern.toLowerCase()));
  const fixed = patterns.map((pattern) => pattern.toLowerCase().replace(/\/?\*?$/, ""));
  const isAtOrBelow = (path: string): boolean =>
    fixed.some((above) => path === above || path.startsWith(`${above}/`));
  return (target) => {
    const [path = ""] = target.toLowerCase().split(/[?#]/, 1);
    return (
      tests.some((matches) => matches(path)) ||
      (needsMending(path) && mended(path).some(isAtOrBelow))
    );
  };
}

const needsMending = (path: string): boolean =>
  !path.startsWith("/") || /[\\%]|\/\/|\/\.\.?(?:\/|$)/.test(path);

/** What parsers could make of a path. */
function mended(path: string): readonly string[] {
  const decoded = inPlainLetters(path).replaceAll("\\", "/");
  const withoutAuthority = decoded.replace(/^(?:[a-z][\w+.-]*:)?\/\/[^/]*/, "");
  return [decoded, withoutAuthority].flatMap((text) => {
    const single = text.replace(/\/+/g, "/");
    const base = "http://localhost";
    return URL.canParse(single, base) ? [single, new URL(single, base).pathname] : [single];
  });
}

/**
 * Before a page of another origin may poll, its browser asks without any credential whether it may (Fetch §4.8). That opens nothing, and
 * the library has to answer it: it is an ordinary request.
 */
function isPreflight({ method, headers }: IncomingMessage): boolean {
  if (method !== "OPTIONS" || "upgrade" in headers) return false;
  const hasBody = "transfer-encoding" in headers || (headers["content-length"] ?? "0") !== "0";
  return !hasBody && "origin" in headers && "access-control-request-method" in headers;
}
