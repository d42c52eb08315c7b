/** What a library wrote to its socket is no answer to an upgrade. */
export class ImproperAnswer extends Error {
  constructor(what: string) {
    super(`The WebSocket library's answer cannot be sent over HTTP/2: ${what}.`);
    this.name = "ImproperAnswer";
  }
}
