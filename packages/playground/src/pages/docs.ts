import { readFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { answer, type RouteHandler, type Routes } from "./handler.ts";

/** The repository's root, the same seen from the sources and from what is compiled. */
const root = new URL("../../../../", import.meta.url);

/** What the page links to: the guides as they are, and what is said of each refusal and each close. */
export const docsRoutes: Routes = {
  "GET /docs/guide/:file": (request, response, { file = "" }) =>
    /^[a-z-]+\.md$/.test(file)
      ? plain(`docs/guide/${file}`)(request, response, {})
      : answer(response, 404),
  "GET /packages/client/README.md": plain("packages/client/README.md"),
  "GET /errors": async (_request, response) => {
    response.setHeader("Content-Type", "text/html; charset=utf-8");
    response.end(errorsPage(await textOf("docs/errors.md")));
  },
};

const textOf = (path: string): Promise<string> =>
  readFile(fileURLToPath(new URL(path, root)), "utf8");

function plain(path: string): RouteHandler {
  return async (_request, response) => {
    const text = await textOf(path).catch(() => undefined);
    if (text === undefined) {
      answer(response, 404);
      return;
    }
    response.setHeader("Content-Type", "text/plain; charset=utf-8");
    response.end(text);
  };
}

/** The refusals and closes of `docs/errors.md`, each below its code. */
function errorsPage(markdown: string): string {
  const [refusalsAndCloses = ""] = markdown.split("\n## Message errors");
  const [, ...sections] = refusalsAndCloses.split(/^### (?=`)|^## Closes[\s\S]*?^### (?=`)/m);
  return `<!doctype html>
<html lang="en">
<head>
  <meta charset="utf-8">
  <meta name="viewport" content="width=device-width, initial-scale=1">
  <title>Refusals and closes</title>
  <link rel="icon" href="/mark.svg" type="image/svg+xml">
  <link rel="stylesheet" href="/base.css">
  <link rel="stylesheet" href="/errors.css">
  <script type="module" blocking="render" src="/scripts/theme.js"></script>
</head>
<body>
  <main>
    <h1>Refusals and closes</h1>
    <p>From <code>docs/errors.md</code>. <a href="/">Back to the playground</a></p>
${sections.map(sectionOf).join("\n")}
  </main>
</body>
</html>
`;
}

function sectionOf(section: string): string {
  const [heading = "", ...lines] = section.trim().split("\n");
  const code = heading.replaceAll("`", "");
  const paragraphs = lines.filter((line) => line !== "").map((line) => line.replace(/^- /, ""));
  return `    <section id="${code}" tabindex="-1">
      <h2><code>${code}</code></h2>
${paragraphs.map((line) => `      <p>${inline(line)}</p>`).join("\n")}
    </section>`;
}

/** Links lead to other pages of the repository, and are left as words. */
const inline = (text: string): string =>
  text
    .replace(/[&<>"]/g, (sign) => entities[sign] ?? "")
    .replace(/\[([^\]]+)\]\([^)]*\)/g, "$1")
    .replace(/`([^`]+)`/g, "<code>$1</code>")
    .replace(/\*\*([^*]+)\*\*/g, "<strong>$1</strong>");

const entities: Readonly<Record<string, string>> = {
  "&": "&amp;",
  "<": "&lt;",
  ">": "&gt;",
  '"': "&quot;",
};
