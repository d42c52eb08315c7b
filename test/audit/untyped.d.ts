declare module "ws-8.16" {
  export { WebSocketServer } from "ws";
}
