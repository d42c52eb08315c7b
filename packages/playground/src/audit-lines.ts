/** What the answer to an audit's order says, a line of JSON each, as it comes about. */
export type AuditLine =
  | {
      readonly kind: "checking";
      /** What is looked for. */
      readonly title: string;
      readonly done: number;
      readonly total: number;
      /** How many weaknesses there are so far. */
      readonly found: number;
    }
  | {
      readonly kind: "written";
      /** Where the report is. */
      readonly report: string;
      readonly outcome: "clean" | "weak" | "inconclusive";
      /** In a sentence. */
      readonly verdict: string;
    }
  | { readonly kind: "failed" };
