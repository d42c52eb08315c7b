import { toJsonSchema } from "@valibot/to-json-schema";
import { Command, InvalidArgumentError, Option } from "commander";
import { formatNames } from "../formats/all.ts";
import { wrap } from "../formats/wrap.ts";
import { checkList, severities } from "../index.ts";
import { acceptancesSchema } from "./acceptances.ts";
import { type AuditCommandFlags, auditCommand } from "./audit-command.ts";
import { checkConfigCommand } from "./check-config-command.ts";
import { expectationsSchema } from "./expectations.ts";
import type { Terminal } from "./terminal.ts";
import { type TryFlags, tryCommand } from "./try-command.ts";
import { version } from "./version.ts";

/** The command line, with what each command came to handed to `end`. */
export function program(terminal: Terminal, end: (exitCode: number) => void): Command {
  const root = new Command("firmshake")
    .description("Tests and explains the handshake of WebSocket endpoints.")
    .version(version())
    .helpCommand(false)
    .showSuggestionAfterError()
    .exitOverride()
    .configureOutput({
      writeOut: terminal.out,
      writeErr: () => {},
      getOutHelpWidth: () => terminal.width,
      getErrHelpWidth: () => terminal.width,
    });
  addAudit(root, terminal, end);
  addCheckConfig(root, terminal, end);
  addTry(root, terminal, end);
  addChecks(root, terminal, end);
  addSchema(root, terminal, end);
  return root;
}

const secrets =
  "env:NAME reads the secret from the environment and @FILE from a file, so that it stands neither in the shell's history nor in the list of processes.";

function addAudit(root: Command, terminal: Terminal, end: (exitCode: number) => void): void {
  root
    .command("audit")
    .description(
      "Tests endpoints of yours: says what is weak, how that was seen, and how to mend it.",
    )
    .argument(
      "<url...>",
      "ws or wss URLs; without --public those of loopback and private networks alone",
    )
    .optionsGroup("As whom:")
    .option("--origin <origin>", "origin of the endpoint's own pages (default: that of the URL)")
    .option("--token <secret>", "sent as Authorization: Bearer")
    .addOption(list("--cookie <name=secret>", "a cookie; may be repeated"))
    .addOption(list("--header <name: secret>", "a header line; may be repeated"))
    .addOption(
      list(
        "--protocol <secret>",
        "a subprotocol to offer, also one that is a token; may be repeated",
      ),
    )
    .addOption(list("--query <name=secret>", "a parameter to add to the URL; may be repeated"))
    .addOption(
      list("--opening <secret>", "a text message that the client sends first; may be repeated"),
    )
    .option(
      "--connect-payload <json>",
      "Socket.IO's auth, or the payload of GraphQL's connection_init",
    )
    .optionsGroup("What may be sent:")
    .option("--public", "allow public addresses: of yours alone")
    .option("--intrusive", "run the checks that may end a weak server, too")
    .option(
      "--message <text>",
      "a harmless message that may be sent many times; without it none is",
    )
    .addOption(list("--path <path>", "another path of the server to look at; may be repeated"))
    .option(
      "--plain-port <port>",
      "port where plain ws might be served beside wss (default: 80)",
      wholeNumber,
    )
    .option(
      "--wait <seconds>",
      "how long the checks of lifetimes may wait (default: 0, they are skipped)",
      number,
    )
    .addOption(list("--only <checks>", "run these alone: ids and families, WS-ORIGIN-1,WS-JWT-*"))
    .addOption(list("--except <checks>", "leave these out"))
    .option("--max-handshakes <count>", "in all (default: 400)", wholeNumber)
    .option("--max-duration <seconds>", "in all (default: 180)", number)
    .option(
      "--settle-time <ms>",
      "how long is listened behind 101 before the connection counts as open (default: 400)",
      wholeNumber,
    )
    .option("--answer-timeout <ms>", "how long an answer may take (default: 3000)", wholeNumber)
    .optionsGroup("What is known of it:")
    .option("--ca <file>", "PEM certificates of the authorities to judge the certificate by")
    .option("--public-key <file>", "PEM or JWK of the key that tokens are verified with")
    .option("--expired-token <secret>", "a token that has expired, otherwise like the one given")
    .addOption(
      list(
        "--wrong-token <what=secret>",
        "a token that is signed rightly and must be refused, by what is wrong with it, aud=…; may be repeated",
      ),
    )
    .option(
      "--ticket-command <command>",
      "prints a fresh ticket, which takes the place of {ticket} in the URL",
    )
    .option("--logout-command <command>", "logs the user out whose credentials were given")
    .optionsGroup("How it is judged:")
    .option("--expect <file>", 'what must hold ("firmshake schema expect" describes it)')
    .option(
      "--baseline <file>",
      'findings that are accepted, with a reason and an end ("firmshake schema baseline")',
    )
    .addOption(
      new Option("--fail-on <severity>", "the least bad that counts")
        .choices(severities)
        .default("low"),
    )
    .optionsGroup("What is written:")
    .addOption(
      new Option("--format <format>", "of standard output, or of the one --output").choices(
        formatNames,
      ),
    )
    .addOption(
      list(
        "--output <file>",
        "also write a report there, in the format of --format or of its ending: .html .sarif .xml .json .txt; may be repeated",
      ),
    )
    .option("--location <file>", "the file in which code hosts show the results of SARIF")
    .option("--quiet", "on standard output the verdicts alone")
    .addHelpText(
      "after",
      `\n${wrap(secrets, terminal.width).join("\n")}\n\nExit code: 0 clean, 1 weak, 2 could not conclude.\n\nExamples:\n  firmshake audit ws://localhost:8080/chat\n  firmshake audit wss://localhost:8443/chat --origin https://app.example.com --token env:TOKEN\n  firmshake audit ws://localhost:8080/chat --output audit.html --output audit.sarif`,
    )
    .action(async (urls: readonly string[], flags: Partial<AuditCommandFlags>) => {
      end(await auditCommand(urls, { ...noLists, failOn: "low", ...flags }, terminal));
    });
}

function addCheckConfig(root: Command, terminal: Terminal, end: (exitCode: number) => void): void {
  root
    .command("check-config")
    .description(
      "Draws the guards that a module of yours exports, with what is weak in them marked.",
    )
    .argument("<module>", "an ES or CommonJS module; it is run")
    .option("--json", "write JSON")
    .addHelpText("after", "\nExit code: 0 nothing is weak, 1 something is, 2 could not be loaded.")
    .action(async (file: string, flags: { readonly json?: boolean }) => {
      end(await checkConfigCommand(file, flags, terminal));
    });
}

function addTry(root: Command, terminal: Terminal, end: (exitCode: number) => void): void {
  root
    .command("try")
    .description("Says what a guard of yours would decide about a handshake, and why.")
    .argument("<module>", "an ES or CommonJS module that exports the guard; it is run")
    .option("--origin <origin>", "the Origin header (default: none)")
    .option("--host <host>", "the Host header", "localhost")
    .option("--path <path>", "the path, which chooses the guard where there are routes", "/")
    .option("--address <address>", "the client's address", "192.0.2.1")
    .option("--tls", "as over TLS")
    .option("--token <secret>", "sent as Authorization: Bearer")
    .addOption(list("--cookie <name=secret>", "a cookie; may be repeated"))
    .addOption(list("--header <name: secret>", "a header line; may be repeated"))
    .addOption(list("--protocol <secret>", "a subprotocol to offer; may be repeated"))
    .option("--guard <name>", "the export's name or the guard's label, where there are several")
    .option("--json", "write JSON")
    .addHelpText(
      "after",
      `\n${wrap(secrets, terminal.width).join("\n")}\n\nExit code: 0 allowed, 1 refused, 2 failed.`,
    )
    .action(async (file: string, flags: TryFlags) => {
      end(await tryCommand(file, { ...noLists, ...flags }, terminal));
    });
}

function addChecks(root: Command, { out }: Terminal, end: (exitCode: number) => void): void {
  root
    .command("checks")
    .description("Lists the checks of audit.")
    .action(() => {
      for (const { id, severity, title, isRisky } of checkList) {
        out(
          `${id.padEnd(12)} ${severity.padEnd(8)} ${title}${isRisky ? " (with --intrusive)" : ""}\n`,
        );
      }
      end(0);
    });
}

const schemas = { expect: expectationsSchema, baseline: acceptancesSchema };

function addSchema(root: Command, { out }: Terminal, end: (exitCode: number) => void): void {
  const names = Object.keys(schemas) as (keyof typeof schemas)[];
  const read = (name: string): keyof typeof schemas => {
    const found = names.find((one) => one === name);
    if (found !== undefined) return found;
    throw new InvalidArgumentError(`It is one of ${names.join(", ")}.`);
  };
  root
    .command("schema")
    .description("Prints the JSON schema of a file that audit reads, for editors.")
    .argument("<name>", names.join(" or "), read)
    .action((name: keyof typeof schemas) => {
      out(
        `${JSON.stringify(toJsonSchema(schemas[name], { errorMode: "ignore" }), undefined, 2)}\n`,
      );
      end(0);
    });
}

/** What the options that may be repeated are where they were not given. */
const noLists = {
  cookie: [],
  header: [],
  protocol: [],
  query: [],
  opening: [],
  path: [],
  wrongToken: [],
  only: [],
  except: [],
  output: [],
} as const;

/** An option that may be repeated. One that took all the words behind it would swallow the URL. */
function list(flags: string, description: string): Option {
  return new Option(flags, description).argParser(
    (value: string, before: readonly string[] | undefined) => [...(before ?? []), value],
  );
}

function number(text: string): number {
  const read = Number(text);
  if (text.trim() !== "" && Number.isFinite(read) && read >= 0) return read;
  throw new InvalidArgumentError("It is a number, not negative.");
}

function wholeNumber(text: string): number {
  const read = number(text);
  if (Number.isSafeInteger(read) && read > 0) return read;
  throw new InvalidArgumentError("It is a whole number above 0.");
}
