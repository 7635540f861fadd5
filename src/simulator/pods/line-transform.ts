import { StringDecoder } from "node:string_decoder";
import { Transform } from "node:stream";

/**
 * A stream that changes text line by line. A line longer than `charactersMax` passes in pieces that are not changed.
 */
export function lineTransform(charactersMax: number, change: (line: string) => string): Transform {
  const decoder = new StringDecoder("utf8");
  let rest = "";
  /** In the middle of a line that was too long. */
  let passing = false;
  const take = (text: string): string => {
    let out = "";
    let from = 0;
    for (let end = text.indexOf("\n"); end >= 0; end = text.indexOf("\n", from)) {
      const line = rest + text.slice(from, end + 1);
      out += passing ? line : change(line);
      rest = "";
      passing = false;
      from = end + 1;
    }
    rest += text.slice(from);
    if (rest.length <= charactersMax) return out;
    out += rest;
    rest = "";
    passing = true;
    return out;
  };
  return new Transform({
    transform: (chunk: Buffer, _, done) => done(null, take(decoder.write(chunk))),
    flush: (done) => {
      const text = take(decoder.end()) + (passing ? rest : change(rest));
      done(null, text);
    },
  });
}
