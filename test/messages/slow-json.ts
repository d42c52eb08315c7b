import type { JsonBounds, JsonFault } from "../../packages/messages/src/json/json-bounds.ts";

/** Everything that is wrong with a text, found by a plain reading of RFC 8259 that takes its time; empty where it may be handled. */
export function slowFaults(text: string, bounds: JsonBounds): ReadonlySet<JsonFault> {
  const faults = new Set<JsonFault>();
  if (Buffer.byteLength(text) > bounds.maxBytes) faults.add("message_too_long");
  if (hasLoneSurrogate(text)) faults.add("text_malformed");
  try {
    JSON.parse(text);
  } catch {
    return faults.add("json_malformed");
  }
  let keysAndElements = 0;
  let at = 0;
  value(0);
  if (keysAndElements > bounds.maxKeys) faults.add("json_too_many_keys");
  return faults;

  // The text is known to be JSON, so what stands where is known too.
  function value(depth: number): void {
    blanks();
    const sign = text[at] as string;
    if (sign === '"') return void string();
    if (sign === "{" || sign === "[") return members(sign, depth + 1);
    const [scalar] = /^[^,\]}\s]+/.exec(text.slice(at)) as RegExpExecArray;
    at += scalar.length;
    if (!/^[-\d]/.test(scalar)) return;
    if (scalar.length > 40 || !Number.isFinite(Number(scalar))) faults.add("json_number_unfit");
  }

  function members(open: string, depth: number): void {
    if (depth > bounds.maxDepth) faults.add("json_too_deep");
    const names = new Set<string>();
    at++;
    for (blanks(); text[at] !== "}" && text[at] !== "]"; blanks()) {
      if (text[at] === ",") at++;
      blanks();
      keysAndElements++;
      if (open === "{") {
        const name = string();
        if (names.has(name)) faults.add("json_key_duplicate");
        if (bounds.forbiddenKeys.includes(name)) faults.add("json_key_forbidden");
        names.add(name);
        blanks();
        at++;
      }
      value(depth);
    }
    at++;
  }

  function string(): string {
    const [raw] = /^"(?:[^"\\]|\\.)*"/.exec(text.slice(at)) as RegExpExecArray;
    at += raw.length;
    const decoded = JSON.parse(raw) as string;
    if (decoded.length > bounds.maxStringLength) faults.add("json_string_too_long");
    if (hasLoneSurrogate(decoded)) faults.add("text_malformed");
    return decoded;
  }

  function blanks(): void {
    while (" \t\r\n".includes(text[at] ?? "x")) at++;
  }
}

/** What comes back from UTF-8 is another text where a half is missing. */
const hasLoneSurrogate = (text: string): boolean => Buffer.from(text).toString() !== text;
