import { LRUCache } from "lru-cache";

/** Different messages that are remembered; beyond, the oldest may be told again early. */
const MESSAGES_MAX = 256;
/** One message is told once in so long. */
const EVERY_MS = 60_000;

/** Lets a message through that was not told within the last minute: what fails with each request is said, not shouted. */
export function seldom(tell: (message: string) => void): (message: string) => void {
  const told = new LRUCache<string, true>({ max: MESSAGES_MAX, ttl: EVERY_MS });
  return (message) => {
    if (told.has(message)) return;
    told.set(message, true);
    tell(message);
  };
}
