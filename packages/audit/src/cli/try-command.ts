import { randomBytes } from "node:crypto";
import { compilePath } from "@firmshake/core/gate";
import pc from "picocolors";
import { printable } from "../formats/printable.ts";
import { type CredentialFlags, credentialHeaders } from "./credential-headers.ts";
import { secretText } from "./secret-text.ts";
import type { Terminal } from "./terminal.ts";
import { sentenceOf, UsageError } from "./usage-error.ts";
import { coreOf, type FoundGuard, loadGuards } from "./user-module.ts";

/** What stood on the command line of `firmshake try`. */
export interface TryFlags extends CredentialFlags {
  readonly origin?: string;
  readonly host: string;
  readonly path: string;
  readonly address: string;
  readonly protocol: readonly string[];
  readonly tls?: boolean;
  readonly guard?: string;
  readonly json?: boolean;
}

/**
 * Has a guard decide on a handshake made of the options, and says what it decided and why.
 *
 * @returns the exit code: 0 allowed, 1 refused.
 */
export async function tryCommand(
  file: string,
  flags: TryFlags,
  terminal: Terminal,
): Promise<number> {
  const headers = headersOf(flags);
  const guards = await loadGuards(file);
  const chosen = choose(guards, flags);
  if (chosen === undefined) return report(notRouted, undefined, flags, terminal);
  const core = await coreOf(file);
  const scheme = flags.tls === true ? "https" : "http";
  const url = `${scheme}://${flags.host}${flags.path}`;
  if (!flags.path.startsWith("/") || !URL.canParse(url)) {
    throw new UsageError(
      `--host and --path make no URL. Write --host chat.example.com --path /chat.`,
    );
  }
  let verdict: VerdictLike;
  try {
    const handshake = core.handshakeFrom(
      { method: "GET", url, headers },
      { peerAddress: flags.address },
    );
    verdict = (await chosen.guard.decide(handshake)) as VerdictLike;
  } catch (error) {
    throw new UsageError(`${chosen.name} could not decide: ${sentenceOf(error)}`);
  }
  return report(verdict, chosen, flags, terminal);
}

/** As much of core's `Verdict` as is shown. */
interface VerdictLike {
  readonly ok: boolean;
  readonly facts?: { readonly identity?: { readonly subject?: unknown } };
  readonly refusal?: RefusalLike;
  /** In report mode. */
  readonly reported?: RefusalLike | undefined;
  readonly trail: readonly {
    readonly check: string;
    readonly outcome: "allow" | "refuse";
    readonly depth: number;
    readonly code?: string;
    readonly reason?: string;
  }[];
}

interface RefusalLike {
  readonly code: string;
  readonly status: number;
  readonly closeCode: number;
  readonly title: string;
  readonly reason?: string | undefined;
}

const notRouted: VerdictLike = {
  ok: false,
  refusal: {
    code: "not_found",
    status: 404,
    closeCode: 3003,
    title: "There is no WebSocket endpoint at this path.",
    reason: "no route matches --path",
  },
  trail: [],
};

function headersOf(flags: TryFlags): [string, string][] {
  const protocols = flags.protocol.map((text) => secretText("--protocol", text));
  return [
    ["Host", flags.host],
    ["Upgrade", "websocket"],
    ["Connection", "Upgrade"],
    ["Sec-WebSocket-Version", "13"],
    ["Sec-WebSocket-Key", randomBytes(16).toString("base64")],
    ...(flags.origin === undefined ? [] : [["Origin", flags.origin] as [string, string]]),
    ...(protocols.length === 0
      ? []
      : [["Sec-WebSocket-Protocol", protocols.join(", ")] as [string, string]]),
    ...credentialHeaders(flags).map(([name, value]): [string, string] => [name, value]),
  ];
}

/** The guard of that name, else the one for the path, else the only one. Undefined where there are routes and none matches. */
function choose(guards: readonly FoundGuard[], flags: TryFlags): FoundGuard | undefined {
  const names = guards.map(({ name }) => name).join(", ");
  if (flags.guard !== undefined) {
    const named = guards.find(
      ({ name, guard }) => name === flags.guard || guard.label === flags.guard,
    );
    if (named !== undefined) return named;
    throw new UsageError(`--guard: there is no ${flags.guard}. There are: ${names}.`);
  }
  const routes = guards.filter(({ path }) => path !== undefined);
  if (routes.length === guards.length) return routeFor(routes, flags.path);
  const [only] = guards;
  if (guards.length === 1 && only !== undefined) return only;
  throw new UsageError(`There are several guards: ${names}. Choose one with --guard.`);
}

/** Whole paths come before prefixes, long prefixes before short ones, as at the gate. */
function routeFor(routes: readonly FoundGuard[], path: string): FoundGuard | undefined {
  const [plain = ""] = path.split("?");
  const isPrefix = ({ path = "" }: FoundGuard): number => Number(path.endsWith("/*"));
  return routes
    .toSorted(
      (left, right) =>
        isPrefix(left) - isPrefix(right) || (right.path ?? "").length - (left.path ?? "").length,
    )
    .find((route) => compilePath("routes", route.path ?? "")(plain));
}

function report(
  verdict: VerdictLike,
  chosen: FoundGuard | undefined,
  flags: TryFlags,
  { out, hasColors }: Terminal,
): number {
  const { ok, trail, facts = {} } = verdict;
  const refusal = verdict.refusal ?? verdict.reported;
  if (flags.json === true) {
    const shown = refusal && {
      code: refusal.code,
      status: refusal.status,
      closeCode: refusal.closeCode,
      title: refusal.title,
      reason: refusal.reason,
    };
    out(
      `${JSON.stringify({ formatVersion: 1, guard: chosen?.name, allowed: ok, [ok ? "reported" : "refusal"]: shown, facts: Object.keys(facts), trail }, undefined, 2)}\n`,
    );
    return ok ? 0 : 1;
  }
  const paint = pc.createColors(hasColors);
  const line = (text: string): void => out(`${text}\n`);
  const handshake = `GET ${flags.path.split("?")[0]} at ${flags.host} over ${flags.tls === true ? "TLS" : "plain TCP"}, from ${flags.address}, ${flags.origin === undefined ? "without Origin" : `Origin ${flags.origin}`}`;
  line(paint.dim(printable(chosen === undefined ? handshake : `${chosen.name}: ${handshake}`)));
  line(ok ? paint.green("✔ allowed") : paint.red("✖ refused"));
  if (refusal !== undefined) {
    if (ok) line(paint.yellow("It only reports; it would have refused:"));
    line(
      `${refusal.code}: HTTP ${refusal.status}, close code ${refusal.closeCode}. ${printable(refusal.title)}`,
    );
    if (refusal.reason !== undefined) line(`why: ${printable(refusal.reason)}`);
  }
  if (trail.length > 0) line("");
  for (const { check, outcome, depth, code, reason } of trail) {
    const mark = outcome === "allow" ? paint.green("✔") : paint.red("✖");
    const words = [code, reason].filter((word) => word !== undefined).join(", ");
    line(
      `${"  ".repeat(depth + 1)}${mark} ${printable(words === "" ? check : `${check}: ${words}`)}`,
    );
  }
  if (!ok && trail.length > 0) line(paint.dim("  What stands behind it in the guard did not run."));
  const { identity } = facts;
  if (ok && typeof identity?.subject === "string")
    line(`\nidentity: ${printable(identity.subject)}`);
  return ok ? 0 : 1;
}
