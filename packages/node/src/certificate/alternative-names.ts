/** One name of a certificate's extension `subjectAltName` (RFC 5280 §4.2.1.6). */
export interface AlternativeName {
  /** As Node names it: `DNS`, `URI`, `email`, `IP Address`, … */
  readonly type: string;
  readonly value: string;
}

/**
 * Reads Node's text of the extension: `DNS:a.example, URI:"…"`, where values that hold what could be taken for another name are JSON
 * strings (CVE-2021-44532). Undefined where it is written otherwise.
 */
export function readAlternativeNames(text: string): readonly AlternativeName[] | undefined {
  const names: AlternativeName[] = [];
  let at = 0;
  while (at < text.length) {
    const colon = text.indexOf(":", at);
    if (colon === -1) return undefined;
    const type = text.slice(at, colon);
    const end = text[colon + 1] === '"' ? endOfJson(text, colon + 1) : endOfPlain(text, colon + 1);
    if (end === -1 || !(end === text.length || text.startsWith(", ", end))) return undefined;
    const value = readValue(text.slice(colon + 1, end));
    if (value === undefined) return undefined;
    names.push({ type, value });
    at = end + 2;
  }
  return names;
}

function endOfPlain(text: string, from: number): number {
  const comma = text.indexOf(", ", from);
  return comma === -1 ? text.length : comma;
}

/** Behind the closing quotation mark; -1 where there is none. */
function endOfJson(text: string, from: number): number {
  for (let at = from + 1; at < text.length; at++) {
    if (text[at] === "\\") at++;
    else if (text[at] === '"') return at + 1;
  }
  return -1;
}

function readValue(written: string): string | undefined {
  if (!written.startsWith('"')) return written;
  try {
    return String(JSON.parse(written));
  } catch {
    return undefined;
  }
}
