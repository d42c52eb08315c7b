declare module "express4" {
  import express from "express";

  export = express;
}

declare module "express-ws" {
  import type { Server } from "node:http";
  import type { Application } from "express";

  function expressWs(app: Application, server: Server): unknown;

  export = expressWs;
}
