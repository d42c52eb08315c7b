#!/usr/bin/env node
import { runCommand } from "./run-command.ts";
import { processTerminal } from "./terminal.ts";

const exitCode = await runCommand(process.argv.slice(2), processTerminal());
// A user's module may hold the process open, with a server or a timer; what was written is let out first.
process.stdout.write("", () => process.stderr.write("", () => process.exit(exitCode)));
