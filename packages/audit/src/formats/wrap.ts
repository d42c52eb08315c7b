/** Breaks a text into lines of a width, between words where there are any. Line ends of the text stay. */
export function wrap(text: string, width: number): readonly string[] {
  const room = Math.max(10, width);
  return text.split("\n").flatMap((paragraph) => {
    const lines: string[] = [];
    let line = "";
    for (const word of paragraph.split(" ")) {
      let rest = word;
      if (line !== "" && line.length + 1 + rest.length > room) {
        lines.push(line);
        line = "";
      }
      while (rest.length > room) {
        lines.push(rest.slice(0, room));
        rest = rest.slice(room);
      }
      line = line === "" ? rest : `${line} ${rest}`;
    }
    return [...lines, line];
  });
}
