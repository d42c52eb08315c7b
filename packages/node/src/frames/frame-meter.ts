import { makeStamp, type Stamp } from "../stamp.ts";
import { type Outgoing, phases } from "./outgoing-frames.ts";

/** What is known of the frames of one connection. */
export class FrameMeter implements Outgoing {
  outPhase: number = phases.answer;
  outLeft = 0;
  answer: string | undefined = undefined;
  extension: Outgoing["extension"] = "none";
  /** Called once, at the next end of a frame of the library's. */
  closesWith: (() => void) | undefined = undefined;
}

export const meterOf: Stamp<FrameMeter> = makeStamp<FrameMeter>();
