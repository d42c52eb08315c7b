import { execFileSync } from "node:child_process";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

export const root = fileURLToPath(new URL("../..", import.meta.url));

/** The packages that npm gets, in alphabetical order. */
export function publishedPackages() {
  return readdirSync(join(root, "packages"))
    .map((name) => ({ name, folder: join(root, "packages", name) }))
    .filter(({ folder }) => existsSync(join(folder, "package.json")))
    .map((found) => ({ ...found, manifest: readJson(join(found.folder, "package.json")) }))
    .filter(({ manifest }) => manifest.private !== true);
}

/** Makes the tarballs that a release would upload. They hold what was last built. */
export function pack(packages, destination) {
  const workspaces = packages.map(({ manifest }) => `--workspace=${manifest.name}`);
  const args = ["pack", "--json", "--ignore-scripts", `--pack-destination=${destination}`];
  const answer = execFileSync("npm", [...args, ...workspaces], {
    cwd: root,
    encoding: "utf8",
    stdio: ["ignore", "pipe", "ignore"],
  });
  const packed = Object.values(JSON.parse(answer));
  return packages.map((found) => {
    const made = packed.find(({ name }) => name === found.manifest.name);
    return {
      ...found,
      tarball: join(destination, made.filename),
      packedBytes: made.size,
      files: made.files.map(({ path }) => path),
    };
  });
}

export function readJson(path) {
  return JSON.parse(readFileSync(path, "utf8"));
}
