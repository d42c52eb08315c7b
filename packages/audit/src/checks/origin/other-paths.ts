import { type Check, inconclusive } from "../../check.ts";
import { judgeRefusals, probesOf } from "../../judge.ts";
import { isAccepted } from "../../probe/outcome.ts";
import { evilOrigin, foreignPage, fromPage } from "./foreign-page.ts";

/** Where the usual libraries and development servers take upgrades. */
const usualPaths = [
  "/",
  "/ws",
  "/websocket",
  "/graphql",
  "/socket.io/?EIO=4&transport=websocket",
  "/sockjs-node/websocket",
  "/_next/webpack-hmr",
];

export const otherPaths: Check = {
  id: "WS-ORIGIN-9",
  run: async (run) => {
    const { paths = [], headers } = run.options;
    const foreign = await foreignPage(run);
    const isOpen = isAccepted(foreign);
    if (isOpen && paths.length === 0) {
      return inconclusive(
        "The endpoint itself lets in any origin (WS-ORIGIN-1), so that the usual other paths say nothing more. Name paths to have them tried.",
      );
    }
    const own = run.target.url.pathname;
    const tried = [...new Set([...paths, ...(isOpen ? [] : usualPaths)])].filter(
      (path) => path.split("?", 1)[0] !== own,
    );
    const withCookies = headers === undefined ? "" : ", with the cookies";
    return judgeRefusals(
      run,
      tried.map((path) => ({
        ...fromPage(evilOrigin),
        probe: `${path} from ${evilOrigin}${withCookies}`,
        target: path,
        isBare: true,
      })),
      {
        fails: (accepted) => `Other paths let in a foreign page: ${probesOf(accepted)}.`,
        passes: `A foreign page was refused at ${tried.length} other paths.`,
        severity:
          run.credentials.isAmbient || run.address.class === "loopback" ? "critical" : "high",
      },
    );
  },
};
