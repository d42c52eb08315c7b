import {
  anything,
  list,
  number,
  object,
  oneOf,
  optional,
  pair,
  type Reader,
  record,
  text,
} from "./words.ts";

/** What a service answers that a policy asks. */
export interface AnswerWords {
  /** Default 200. */
  readonly status: number | undefined;
  /** Besides the content type, which is JSON unless these say otherwise. */
  readonly headers: readonly (readonly [string, string])[] | undefined;
  readonly json: unknown;
  readonly text: string | undefined;
  /** How it fails instead: nobody listens, nothing comes, or the end does not. */
  readonly fails: "down" | "silent" | "cut" | undefined;
  /** What is answered at `/elsewhere`, where nobody may ask. */
  readonly elsewhere: Readonly<Record<string, unknown>> | undefined;
}

export const answerWords: Reader<AnswerWords> = record<AnswerWords>({
  status: optional(number),
  headers: optional(list(pair)),
  json: anything,
  text: optional(text),
  fails: optional(oneOf("down", "silent", "cut")),
  elsewhere: optional(object),
});
