/** Takes secrets out of everything that is reported, and writes out what would act on a terminal. */
export interface Mask {
  /** A line of a report: secrets masked, control characters written out, cut to a bounded length. */
  readonly text: (text: string) => string;
  /** A header line, of which some names say that the value is secret. */
  readonly line: (name: string, value: string) => string;
  /** From now on this is a secret as well. */
  readonly add: (...secrets: readonly string[]) => void;
}

const maxLineLength = 400;
/** Shorter ones are words that stand elsewhere too; their places mask them. */
const minSecretLength = 5;

export function createMask(secrets: readonly string[]): Mask {
  let spellings: readonly string[] = [];
  const add = (...added: readonly string[]): void => {
    const all = added
      .filter((secret) => secret.length >= minSecretLength)
      .flatMap((secret) => [secret, encodeURIComponent(secret), decoded(secret), quoted(secret)]);
    spellings = [...new Set([...spellings, ...all])].sort((a, b) => b.length - a.length);
  };
  const text = (given: string): string => {
    // Long enough that no secret is cut in two at the end of what is kept.
    let masked = given.slice(0, 65_536);
    for (const secret of spellings) masked = masked.replaceAll(secret, hidden(secret.length));
    masked = masked
      .replace(/eyJ[\w-]{4,}(?:\.[\w-]+){1,4}\.?/g, (jwt) => hidden(jwt.length))
      .replace(/("sid":")[^"]{4,}/g, "$1[masked]");
    return cut(written(masked));
  };
  add(...secrets);
  return {
    text,
    add,
    line: (name, value) => {
      const lower = name.toLowerCase();
      if (lower === "cookie") return `${name}: ${text(value.replace(/=[^;]*/g, "=[masked]"))}`;
      if (lower === "set-cookie") return `${name}: ${text(value.replace(/=[^;]*/, "=[masked]"))}`;
      if (lower === "authorization") {
        return `${name}: ${text(value.replace(/^(\S+\s+)?.*$/s, "$1[masked]"))}`;
      }
      return `${text(name)}: ${text(value)}`;
    },
  };
}

const hidden = (length: number): string => `[masked, ${length} characters]`;

const quoted = (text: string): string => JSON.stringify(text).slice(1, -1);

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

/** Control characters, and those that turn the direction of text around, would act on whoever reads. */
function written(text: string): string {
  return text.replace(
    // biome-ignore lint/suspicious/noControlCharactersInRegex: these are what must not get through.
    /[\u0000-\u001f\u007f-\u009f\u200b-\u200f\u2028-\u202e\u2066-\u2069\ufeff]/g,
    (letter) => {
      if (letter === "\r") return "\\r";
      if (letter === "\n") return "\\n";
      return `\\u${letter.charCodeAt(0).toString(16).padStart(4, "0")}`;
    },
  );
}

const cut = (text: string): string =>
  text.length > maxLineLength
    ? `${text.slice(0, maxLineLength)}… (${text.length} characters)`
    : text;
