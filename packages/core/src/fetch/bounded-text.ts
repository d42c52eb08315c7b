import { UnusableAnswer } from "./unusable-answer.ts";

/**
 * The text of an answer, of so many bytes at most; rejects for more, and for what is no UTF-8.
 */
export async function readBounded({ body }: Response, maxBytes: number): Promise<string> {
  const reader = body?.getReader();
  if (reader === undefined) return "";
  try {
    return await readText(reader, maxBytes);
  } catch (error) {
    // Nobody reads the rest, which may have no end.
    reader.cancel().catch(() => undefined);
    throw error;
  }
}

async function readText(
  reader: ReadableStreamDefaultReader<Uint8Array>,
  maxBytes: number,
): Promise<string> {
  const decoder = new TextDecoder("utf-8", { fatal: true });
  let text = "";
  let bytes = 0;
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return text + decoder.decode();
    bytes += value.byteLength;
    if (bytes > maxBytes) throw new UnusableAnswer("The answer is too large.");
    text += decoder.decode(value, { stream: true });
  }
}
