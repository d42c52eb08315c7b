import { runOnce } from "./once.ts";
import { help, readCommand, type Stack } from "./options.ts";
import { startPlayground } from "./playground.ts";
import { drawReport } from "./table.ts";

/** How long `--once` may take in all, in milliseconds. */
const onceMs = 20_000;

await main(process.argv.slice(2));

async function main(args: readonly string[]): Promise<void> {
  const command = readCommand(args);
  switch (command.kind) {
    case "help":
      console.log(help);
      return;
    case "mistake":
      console.error(command.message);
      process.exitCode = 2;
      return;
    case "once":
      return once(command.isGated, command);
    case "serve":
      return serve(command.port, command.isPortChosen, command);
  }
}

async function once(isGated: boolean, { framework, library }: Stack): Promise<void> {
  const deadline = setTimeout(() => {
    console.error(`Not done after ${onceMs / 1000} seconds.`);
    process.exit(1);
  }, onceMs);
  const playground = await startPlayground({
    port: { port: 0, mayMove: true },
    isGated,
    framework,
    library,
  });
  const report = await runOnce(playground);
  const { stdout } = process;
  const width = stdout.columns ?? 132;
  console.log(drawReport(report, { width, hasColors: usesColors(), isGated }));
  process.exitCode = report.isPassed ? 0 : 1;
  await playground.close();
  clearTimeout(deadline);
}

async function serve(
  port: number,
  isPortChosen: boolean,
  { framework, library }: Stack,
): Promise<void> {
  let playground: Awaited<ReturnType<typeof startPlayground>>;
  try {
    playground = await startPlayground({
      port: { port, mayMove: !isPortChosen },
      framework,
      library,
    });
  } catch (error) {
    const { code, syscall } = error as NodeJS.ErrnoException;
    if (syscall !== "listen") throw error;
    console.error(
      code === "EADDRINUSE" ? `Port ${port} is taken.` : `Port ${port} cannot be used: ${code}.`,
    );
    process.exitCode = 1;
    return;
  }
  const { page, panel, bare, gated, tls, runsOn } = playground.lab;
  if (gated.port !== port) console.log(`Port ${port} is taken.`);
  console.log(`
  Firmshake playground, on ${runsOn}

  Open            ${page}
  Attack panel    ${panel} (another origin, shown in the page)
  Without a gate  ws://${bare.host} (the same server, to compare with)
  With TLS        wss://${tls.host} (asks clients for certificates)

  Ctrl-C ends it.
`);
  for (const signal of ["SIGINT", "SIGTERM"] as const) {
    process.once(signal, () => {
      void playground.close();
    });
  }
}

function usesColors(): boolean {
  return (
    process.env.NO_COLOR === undefined &&
    process.stdout.isTTY === true &&
    process.stdout.hasColors()
  );
}
