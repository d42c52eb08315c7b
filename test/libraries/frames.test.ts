import { frameBehaviours } from "./frame-behaviours.ts";
import { verifyAll } from "./verify-all.ts";

// A file of its own, beside the other behaviours: most of it waits for sockets to be cut off.
verifyAll(frameBehaviours);
