/**
 * The text of an API key: `prefix "_" id "_" secret`.
 *
 * - prefix: 1 to 32 of `A-Z a-z 0-9 _`, a letter first;
 * - id: 1 to 64 of `A-Z a-z 0-9`, public;
 * - secret: 64 of `0-9 a-f`, which are 256 random bits.
 */
const form = /^[A-Za-z]\w{0,31}_([A-Za-z0-9]{1,64})_[0-9a-f]{64}$/;
const maxLength = 32 + 1 + 64 + 1 + 64;

/** The public id within a key; undefined for what is no key. */
export function idOfApiKey(text: string): string | undefined {
  // So short that the 32 places where the prefix may end cost nothing.
  return text.length > maxLength ? undefined : form.exec(text)?.[1];
}

export const isApiKeyPrefix = (text: string): boolean => /^[A-Za-z]\w{0,31}$/.test(text);

export const isApiKeyId = (text: string): boolean => /^[A-Za-z0-9]{1,64}$/.test(text);
