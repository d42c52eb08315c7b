import type { Lab } from "../lab.ts";
import type { Errand } from "../protocol.ts";
import { createProver, type Prover } from "../services/prover.ts";
import type { LiveWay, Sketch } from "./way.ts";
import type { Brought } from "./wire.ts";

/** Asks for something as the page does: with its session, and with its origin, which browsers name on each POST. */
export async function runErrand(
  lab: Lab,
  { path }: LiveWay,
  { from, parameter, bound }: Errand,
  [sketch]: readonly Sketch[],
): Promise<Brought> {
  const { page } = lab;
  const { cookie } = sketch ?? {};
  const owner = bound && (await createProver());
  const response = await fetch(`${page}${from}`, {
    method: "POST",
    headers: {
      Origin: page,
      ...(cookie && { Cookie: `${cookie.name}=${cookie.value}` }),
      ...(owner && (await provenHeaders(lab, owner, `${page}${from}`))),
    },
  });
  const { ticket, token = "" } = (await response.json()) as Given;
  const value = ticket ?? token;
  const prover = bound?.provenBy === "thief" ? await createProver() : owner;
  const isProven = prover !== undefined && bound?.provenBy !== "nobody";
  return {
    parameter,
    value: isProven ? `${value}~${await prover.prove("GET", `${page}${path}`, value)}` : value,
    cookies: response.headers.getSetCookie().map((line) => line.split(";")[0] ?? ""),
  };
}

/** One of the two. */
interface Given {
  readonly ticket?: string;
  readonly token?: string;
}

async function provenHeaders(
  { issuer }: Lab,
  { thumbprint, prove }: Prover,
  url: string,
): Promise<Readonly<Record<string, string>>> {
  const token = await issuer.sign("Ada", { cnf: { jkt: thumbprint } });
  return { Authorization: `DPoP ${token}`, DPoP: await prove("POST", url, token) };
}
