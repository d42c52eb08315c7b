import type { LibraryName } from "../protocol.ts";
import type { Library } from "./library.ts";
import { socketIo } from "./socket-io.ts";
import { ws } from "./ws.ts";

/** Every library that the playground runs on. */
export const libraries: Readonly<Record<LibraryName, Library>> = { ws, "socket.io": socketIo };
