import { xxh64Text } from "./xxh64.ts";

const PREFIX = "cookie:";

/** Name in a plan's `headerNames`, and so in a request's facts, of one cookie instead of all of a client's. */
export const cookieFactName = (cookie: string): string => `${PREFIX}${cookie}`;

/**
 * What facts hold under a name of `cookieFactName`: a hash of the cookie's value as 16 hex digits, as facts are recorded
 * and a cookie can be a key to a client's account. Undefined when the name is none of these, or the cookie is not there.
 * @param cookies the value of the header `cookie`
 */
export function cookieFact(name: string, cookies: string | undefined): string | undefined {
  if (!name.startsWith(PREFIX) || cookies === undefined) return undefined;
  const value = cookieOf(cookies, name.slice(PREFIX.length));
  if (!value) return undefined;
  const [low, high] = xxh64Text(value);
  return [high, low].map((half) => half.toString(16).padStart(8, "0")).join("");
}

/** Value of a cookie, without quotes around it; undefined when it is not there. */
function cookieOf(cookies: string, name: string): string | undefined {
  for (const part of cookies.split(";")) {
    const equals = part.indexOf("=");
    if (equals < 0 || part.slice(0, equals).trim() !== name) continue;
    return part
      .slice(equals + 1)
      .trim()
      .replace(/^"(.*)"$/, "$1")
      .trim();
  }
  return undefined;
}
