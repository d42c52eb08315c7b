import { type AnyCheck, infoOf } from "./check.ts";

/** Draws a guard's policy as a tree, in the order in which it runs. Secrets are never part of it. */
export function explainChecks(title: string, checks: readonly AnyCheck[]): string {
  const opening = "handshake: RFC 6455 §4.2.1, by the letter";
  return [title, ...branches([opening, ...checks.map(branchOf)], "")].join("\n");
}

interface Branch {
  readonly line: string;
  readonly below: readonly Branch[];
}

function branchOf(check: AnyCheck): Branch {
  const { name, summary, parts = [], weaknesses = [] } = infoOf(check);
  return {
    line: summary === "" ? name : `${name}: ${summary}`,
    below: [
      ...weaknesses.map((weakness) => ({ line: `! ${weakness}`, below: [] })),
      ...parts.map(branchOf),
    ],
  };
}

function branches(list: readonly (Branch | string)[], indent: string): readonly string[] {
  return list.flatMap((item, index) => {
    const isLast = index === list.length - 1;
    const { line, below } = typeof item === "string" ? { line: item, below: [] } : item;
    return [
      `${indent}${isLast ? "└─" : "├─"} ${line}`,
      ...branches(below, `${indent}${isLast ? "   " : "│  "}`),
    ];
  });
}
