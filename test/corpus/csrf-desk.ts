import { type Csrf, csrf } from "@firmshake/core";
import type { Step } from "./case.ts";
import type { CsrfWords } from "./policy-words.ts";
import { WordError } from "./words.ts";

/** Tokens of pages, with their cookies, by the names that steps give them. */
export interface CsrfDesk {
  readonly check: Csrf;
  /** To the page of the step's `session`, which has the cookie of another step's, if there is one. */
  readonly issue: (step: Step) => Promise<void>;
  /** The step with its token in the query and its cookie; and with parts of others where it names them. */
  readonly place: (step: Step) => Step;
}

/** What a session middleware would know, a header says here. */
const sessionHeader = "X-Session";

export function csrfDesk({ ttlSeconds = 3_600 }: CsrfWords, now: () => number): CsrfDesk {
  const check = csrf({
    secret: new Uint8Array(32).fill(1),
    session: ({ headers }) => headers.only(sessionHeader.toLowerCase()),
    lifetimeMs: ttlSeconds * 1_000,
    now,
  });
  const issued = new Map<string, { readonly token: string; readonly cookie: string }>();

  const known = (name: string): { readonly token: string; readonly cookie: string } => {
    const found = issued.get(name);
    if (found === undefined) throw new WordError(`steps: unknown token "${name}"`);
    return found;
  };

  async function issue({ as = "", again, session }: Step): Promise<void> {
    if (session === undefined) throw new WordError("steps: issue-csrf without session");
    const held = again === undefined ? undefined : known(again).cookie;
    const { token, cookie } = await check.issue(session, held);
    issued.set(as, { token, cookie: cookie.split(";", 1)[0] ?? "" });
  }

  function place({ csrf: name, session, ...step }: Step): Step {
    const { url = "/ws", headers = [] } = step;
    const more = [
      ...(session === undefined ? [] : [[sessionHeader, session] as const]),
      ...(name === undefined ? [] : [["Cookie", `{csrf-cookie:${name}}`] as const]),
    ];
    const fill = (text: string): string =>
      text.replaceAll(
        /\{csrf(?:-([a-z]+))?:([^}]+)\}/g,
        (_, part: string | undefined, of: string) => partOf(known(of), part),
      );
    return {
      ...step,
      csrf: undefined,
      session: undefined,
      url: fill(name === undefined ? url : `${url}?csrf={csrf:${name}}`),
      headers: [...headers, ...more].map(([header, value]) => [header, fill(value)] as const),
    };
  }

  return { check, issue, place };
}

function partOf(
  { token, cookie }: { readonly token: string; readonly cookie: string },
  part: string | undefined,
): string {
  const [expires = "", signature = ""] = token.split(".");
  switch (part) {
    case undefined:
      return token;
    case "cookie":
      return cookie;
    case "nonce":
      return cookie.slice(cookie.indexOf("=") + 1);
    case "expires":
      return expires;
    case "signature":
      return signature;
    default:
      throw new WordError(`steps: unknown part "${part}"`);
  }
}
