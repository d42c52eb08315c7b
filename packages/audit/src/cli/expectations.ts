import * as v from "valibot";
import { checkIds } from "../index.ts";
import { families } from "./check-names.ts";
import { readJson } from "./read-json.ts";

const checkNames = v.array(
  v.picklist(
    [...checkIds, ...families],
    `there is no such check. Write an id such as "WS-ORIGIN-1", or a family such as "WS-ORIGIN-*".`,
  ),
);

const origins = v.array(
  v.pipe(
    v.string(),
    v.regex(
      /^[a-z][a-z\d+.-]*:\/\/[^\s/?#@]+$/,
      'write an origin as browsers do, such as "https://app.example.com".',
    ),
  ),
);

/** What must hold of every target. */
export interface Expectations {
  readonly mustPass?: readonly string[];
  readonly mayBeInconclusive?: readonly string[];
  readonly origins?: {
    readonly accepted?: readonly string[];
    readonly refused?: readonly string[];
  };
}

export const expectationsSchema: v.GenericSchema<unknown, Expectations> = v.strictObject({
  $schema: v.exactOptional(v.string()),
  mustPass: v.exactOptional(
    v.pipe(
      checkNames,
      v.description(
        "Checks that must pass. One that fails counts however mild it is; one that is skipped or inconclusive means that the run could not be concluded.",
      ),
    ),
  ),
  mayBeInconclusive: v.exactOptional(
    v.pipe(
      checkNames,
      v.description(
        "With this list, an inconclusive check that is not on it means that the run could not be concluded.",
      ),
    ),
  ),
  origins: v.exactOptional(
    v.pipe(
      v.strictObject({
        accepted: v.exactOptional(
          v.pipe(
            origins,
            v.description("Origins whose pages must be let in, with the credentials given."),
          ),
        ),
        refused: v.exactOptional(
          v.pipe(
            origins,
            v.description("Origins whose pages must be refused, with the credentials given."),
          ),
        ),
      }),
      v.description("Each is tried with one handshake."),
    ),
  ),
});

export const readExpectations = (path: string): Expectations =>
  readJson("--expect", path, expectationsSchema);
