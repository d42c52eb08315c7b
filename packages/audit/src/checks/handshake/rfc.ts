import type { Check } from "../../check.ts";
import { judgeRefusals, probesOf } from "../../judge.ts";
import { frameBytes, opcodes } from "../../probe/frame.ts";

export const wrongMethod: Check = {
  id: "WS-HS-1",
  run: (run) =>
    judgeRefusals(
      run,
      [
        { probe: "POST", method: "POST" },
        { probe: "HTTP/1.0", version: "HTTP/1.0" },
        { probe: "Sec-WebSocket-Version: 8", webSocketVersion: "8" },
        { probe: "Sec-WebSocket-Version: 12", webSocketVersion: "12" },
      ],
      {
        fails: (accepted) => `Such handshakes were accepted: ${probesOf(accepted)}.`,
        passes: "Other methods and versions were refused.",
      },
    ),
};

export const badKey: Check = {
  id: "WS-HS-2",
  run: (run) =>
    judgeRefusals(
      run,
      [
        { probe: "No Sec-WebSocket-Key", keys: [] },
        { probe: "A Sec-WebSocket-Key of four bytes", keys: ["AAAAAA=="] },
        {
          probe: "Two Sec-WebSocket-Key lines",
          keys: ["dGhlIHNhbXBsZSBub25jZQ==", "x3JJHMbDL1EzLkh9GBhXDw=="],
        },
      ],
      {
        fails: (accepted) => `Such handshakes were accepted: ${probesOf(accepted)}.`,
        passes: "Handshakes without a proper key were refused.",
      },
    ),
};

export const body: Check = {
  id: "WS-HS-5",
  run: (run) => {
    // A ping: whatever reads the body as frames finds it in order.
    const bytes = frameBytes({ opcode: opcodes.ping }).toString("latin1");
    return judgeRefusals(
      run,
      [
        {
          probe: "Content-Length: 6, and a body",
          lines: [["Content-Length", "6"]],
          body: bytes,
        },
        {
          probe: "Transfer-Encoding: chunked, and no chunk",
          lines: [["Transfer-Encoding", "chunked"]],
        },
      ],
      {
        fails: (accepted) => `A handshake with a body was accepted: ${probesOf(accepted)}.`,
        passes: "Handshakes with a body were refused.",
      },
    );
  },
};
