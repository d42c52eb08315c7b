import { parseArgs } from "node:util";
import { nearestName } from "@firmshake/core/gate";
import { type FrameworkName, frameworks } from "./frameworks/all.ts";
import { libraries } from "./libraries/all.ts";
import type { LibraryName } from "./protocol.ts";

/** What the command line asks for. */
export type Command =
  | { readonly kind: "help" }
  | ({ readonly kind: "once"; readonly isGated: boolean } & Stack)
  | ({ readonly kind: "serve"; readonly port: number; readonly isPortChosen: boolean } & Stack)
  | { readonly kind: "mistake"; readonly message: string };

/** What the playground is to run on. */
export interface Stack {
  readonly framework: FrameworkName;
  readonly library: LibraryName;
}

const defaultPort = 8080;

export const help: string = `Usage: npm start [-- options]

Starts the Firmshake playground: a chat behind the gate, an attack panel on
another origin, the connections that are open and what closes them, each way
to prove who you are with what goes wrong there, and every decision of the gate
as it is made.

Options:
  --framework NAME
              ${Object.keys(frameworks).join(", ")} (default express)
  --library NAME
              ${Object.keys(libraries).join(", ")} (default ws)
  --port N    the port of the chat's page; the two after it are used as well
              (default ${defaultPort}, or any free one where it is taken)
  --once      runs every attack without a browser, prints a table of what came
              back with and without the gate, tries each way to prove who you
              are, and exits 0 only if all attacks were refused, all legitimate
              handshakes accepted, and each way answered as it must
  --no-gate   with --once: leaves the gate away, to see the table fail
  --help      prints this`;

const known = {
  framework: { type: "string" },
  library: { type: "string" },
  port: { type: "string" },
  once: { type: "boolean" },
  "no-gate": { type: "boolean" },
  help: { type: "boolean", short: "h" },
} as const;

export function readCommand(args: readonly string[]): Command {
  const { values, tokens } = parseArgs({
    args: [...args],
    options: known,
    strict: false,
    tokens: true,
    allowPositionals: true,
  });
  for (const token of tokens) {
    if (token.kind === "positional") return mistake(`"${token.value}" is not understood.`);
    if (token.kind !== "option") continue;
    const { name } = token;
    if (!isKnown(name)) return mistake(`There is no option ${token.rawName}.`);
    if (known[name].type === "boolean" && token.value !== undefined) {
      return mistake(`${token.rawName} takes no value.`);
    }
  }
  if (values.help === true) return { kind: "help" };
  const framework = choose("framework", values.framework, frameworks, "express");
  if (!framework.isKnown) return mistake(framework.complaint);
  const library = choose("library", values.library, libraries, "ws");
  if (!library.isKnown) return mistake(library.complaint);
  const stack = { framework: framework.name, library: library.name };
  const isGated = values["no-gate"] !== true;
  if (values.once === true) {
    return values.port === undefined
      ? { kind: "once", isGated, ...stack }
      : mistake("--once uses free ports: leave --port away.");
  }
  if (!isGated) return mistake("--no-gate goes with --once.");
  return readPort(values.port, stack);
}

const isKnown = (name: string): name is keyof typeof known => Object.hasOwn(known, name);

type Choice<Name> =
  | { readonly isKnown: true; readonly name: Name }
  | { readonly isKnown: false; readonly complaint: string };

/** One of several names. Who has written none of them is told which there are, and which was probably meant. */
function choose<Name extends string>(
  option: string,
  given: unknown,
  table: Readonly<Record<Name, unknown>>,
  otherwise: Name,
): Choice<Name> {
  if (given === undefined) return { isKnown: true, name: otherwise };
  const names = Object.keys(table) as Name[];
  const name = names.find((one) => one === given);
  if (name !== undefined) return { isKnown: true, name };
  const list = `--${option} takes ${names.slice(0, -1).join(", ")} or ${names.at(-1)}.`;
  if (typeof given !== "string" || given === "") return { isKnown: false, complaint: list };
  const near = nearestName(given, names);
  const advice = near === undefined ? list : `Did you mean ${near}? ${list}`;
  return { isKnown: false, complaint: `There is no ${option} "${given}". ${advice}` };
}

function readPort(given: unknown, stack: Stack): Command {
  if (given === undefined) {
    return { kind: "serve", port: defaultPort, isPortChosen: false, ...stack };
  }
  const port = typeof given === "string" && /^\d{1,5}$/.test(given) ? Number(given) : Number.NaN;
  // The two after it are used as well.
  if (port >= 1 && port <= 65_533) return { kind: "serve", port, isPortChosen: true, ...stack };
  return mistake("--port takes a number from 1 to 65533.");
}

const mistake = (text: string): Command => ({
  kind: "mistake",
  message: `${text} Options are --framework NAME, --library NAME, --port N, --once, --no-gate and --help.`,
});
