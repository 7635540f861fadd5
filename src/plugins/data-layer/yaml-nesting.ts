/**
 * Whether a YAML text may be nested more than `max` levels deep, by indentation, list dashes and brackets. It errs on
 * the safe side: brackets within quotes count too. Asked before a text goes to the parser, which calls itself for each
 * level and takes the process down when the stack ends.
 */
export function isNestedDeeper(text: string, max: number): boolean {
  const columns: number[] = [];
  let brackets = 0;
  let lineStart = true;
  let column = 0;
  for (let i = 0; i < text.length; i++, column++) {
    const char = text[i];
    if (char === "\n") {
      lineStart = true;
      column = -1;
    } else if (char === "[" || char === "{") brackets++;
    else if (char === "]" || char === "}") brackets = Math.max(brackets - 1, 0);
    if (lineStart && char !== " " && char !== "\t" && char !== "\r" && char !== "\n") {
      while (columns.length > 0 && columns.at(-1)! >= column) columns.pop();
      columns.push(column);
      lineStart = (char === "-" || char === "?" || char === ":") && /\s/.test(text[i + 1] ?? " ");
    }
    if (columns.length + brackets > max) return true;
  }
  return false;
}
