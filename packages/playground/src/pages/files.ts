import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import send from "send";
import { answer, type Handler, type Routes } from "./handler.ts";

/** The package's own folders, the same seen from the sources and from what is compiled. */
const folderOf = (path: string): string => fileURLToPath(new URL(`../../${path}`, import.meta.url));

const { resolve } = createRequire(import.meta.url);
/** What Socket.IO has made for browsers. */
const socketIoFolder = dirname(resolve("socket.io-client/dist/socket.io.js"));
/** `@firmshake/client` is for browsers as it is compiled. */
const clientFolder = join(dirname(resolve("@firmshake/client/package.json")), "dist");

/** The files that browsers load. */
export const fileRoutes = (index: string): Routes => ({
  "GET /scripts/socket.io-client.js": sends(socketIoFolder, () => "/socket.io.esm.min.js"),
  "GET /scripts/firmshake-client/*": sends(clientFolder, (path) =>
    path.slice("/scripts/firmshake-client".length),
  ),
  "GET /scripts/*": sends(folderOf("dist/browser"), (path) => path.slice("/scripts".length)),
  "GET /*": sends(folderOf("public"), (path) => (path === "/" ? `/${index}` : path)),
});

function sends(root: string, fileOf: (path: string) => string): Handler {
  const options = { root, index: false, extensions: ["html"], cacheControl: false };
  return (request, response) => {
    const [path = ""] = (request.url ?? "").split("?");
    send(request, fileOf(path), options)
      .on("error", ({ status }: { readonly status: number }) => answer(response, status))
      .on("directory", () => answer(response, 404))
      .pipe(response);
  };
}
