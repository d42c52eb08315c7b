import { parseArgs } from "node:util";

/** What the command line asks for. */
export type Command =
  | { readonly kind: "help" }
  | { readonly kind: "once"; readonly isGated: boolean }
  | { readonly kind: "serve"; readonly port: number; readonly isPortChosen: boolean }
  | { readonly kind: "mistake"; readonly message: string };

const defaultPort = 8080;

export const help: string = `Usage: npm start [-- options]

Starts the Firmshake playground: a chat behind the gate, an attack panel on
another origin, and every decision of the gate as it is made.

Options:
  --port N    the port of the chat's page; the two after it are used as well
              (default ${defaultPort}, or any free one where it is taken)
  --once      runs every attack without a browser, prints a table of what came
              back with and without the gate, and exits 0 only if all attacks
              were refused and all legitimate handshakes accepted
  --no-gate   with --once: leaves the gate away, to see the table fail
  --help      prints this`;

const known = {
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
    if (!Object.hasOwn(known, token.name)) return mistake(`There is no option ${token.rawName}.`);
    if (token.name !== "port" && token.value !== undefined) {
      return mistake(`${token.rawName} takes no value.`);
    }
  }
  if (values.help === true) return { kind: "help" };
  const isGated = values["no-gate"] !== true;
  if (values.once === true) {
    return values.port === undefined
      ? { kind: "once", isGated }
      : mistake("--once uses free ports: leave --port away.");
  }
  if (!isGated) return mistake("--no-gate goes with --once.");
  return readPort(values.port);
}

function readPort(given: unknown): Command {
  if (given === undefined) return { kind: "serve", port: defaultPort, isPortChosen: false };
  const port = typeof given === "string" && /^\d{1,5}$/.test(given) ? Number(given) : Number.NaN;
  // The two after it are used as well.
  if (port >= 1 && port <= 65_533) return { kind: "serve", port, isPortChosen: true };
  return mistake("--port takes a number from 1 to 65533.");
}

const mistake = (text: string): Command => ({
  kind: "mistake",
  message: `${text} Options are --port N, --once, --no-gate and --help.`,
});
