import { fileURLToPath } from "node:url";
import express, { Router } from "express";

/** The package's own folders, the same seen from the sources and from what is compiled. */
const folderOf = (path: string): string => fileURLToPath(new URL(`../${path}`, import.meta.url));

/** The files that browsers load. */
export function staticFiles(index: string): Router {
  const router = Router();
  const options = { index, extensions: ["html"], cacheControl: false };
  router.use(express.static(folderOf("public"), options));
  router.use(
    "/scripts",
    express.static(folderOf("dist/browser"), { index: false, cacheControl: false }),
  );
  return router;
}
