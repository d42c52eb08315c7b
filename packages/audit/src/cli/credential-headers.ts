import { secretText } from "./secret-text.ts";
import { UsageError } from "./usage-error.ts";

/** What is sent to be let in with, as it stood on the command line. */
export interface CredentialFlags {
  readonly token?: string;
  readonly cookie: readonly string[];
  readonly header: readonly string[];
}

/**
 * The header lines of credentials: a token as `Authorization: Bearer`, all cookies in one line, and any others.
 *
 * @throws {@link UsageError} where a header is given twice, or what is named cannot be read.
 */
export function credentialHeaders({
  token,
  cookie,
  header,
}: CredentialFlags): readonly (readonly [name: string, value: string])[] {
  const lines = [
    ...(token === undefined
      ? []
      : [["Authorization", `Bearer ${secretText("--token", token)}`] as const]),
    ...(cookie.length === 0 ? [] : [["Cookie", cookie.map(cookiePair).join("; ")] as const]),
    ...header.map((line) => {
      const [name, value] = splitPair("--header", line, ":", '"X-Api-Key: env:API_KEY"');
      return [name, secretText("--header", value)] as const;
    }),
  ];
  const names = lines.map(([name]) => name.toLowerCase());
  const twice = lines.find(([name], index) => names.indexOf(name.toLowerCase()) !== index);
  if (twice === undefined) return lines;
  throw new UsageError(`The header ${twice[0]} is given twice. Leave one out.`);
}

function cookiePair(given: string): string {
  if (given.startsWith("env:") || given.startsWith("@")) return secretText("--cookie", given);
  const [name, value] = splitPair("--cookie", given, "=", "session=env:SESSION");
  return `${name}=${secretText("--cookie", value)}`;
}

/** A name and what belongs to it. What was written is not shown: it may be a secret. */
export function splitPair(
  option: string,
  text: string,
  at: string,
  example: string,
): readonly [name: string, value: string] {
  const index = text.indexOf(at);
  const name = text.slice(0, index).trim();
  if (index < 1 || !/^[!#$%&'*+\-.^_`|~[\]\w]+$/.test(name))
    throw new UsageError(`${option} takes a name and a value: ${option} ${example}.`);
  return [name, text.slice(index + 1).trim()];
}
