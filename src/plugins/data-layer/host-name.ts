const OCTET = "(?:25[0-5]|2[0-4]\\d|1\\d\\d|[1-9]?\\d)";
const IPV4 = new RegExp(`^${OCTET}(?:\\.${OCTET}){3}$`);
const LABEL = "[a-z0-9](?:[-a-z0-9]*[a-z0-9])?";
const NAME = new RegExp(`^${LABEL}(?:\\.${LABEL})*$`);
const NAME_LENGTH_MAX = 253;
const GROUP = /^[0-9a-fA-F]{1,4}$/;
const IPV6_GROUPS = 8;

/** True for an IPv4 address in four decimal numbers without leading zeros, as Go reads it. */
export const isIpv4 = (text: string): boolean => IPV4.test(text);

/**
 * True for an IPv4 or IPv6 address, or a name as Kubernetes wants it (an RFC 1123 subdomain): lower case, at most 253
 * characters, no dot at the end.
 */
export const isHost = (text: string): boolean => text.length <= NAME_LENGTH_MAX && (NAME.test(text) || isIpv6(text));

function isIpv6(text: string): boolean {
  const halves = text.split("::");
  if (!text.includes(":") || halves.length > 2) return false;
  const groups = halves.flatMap((half, k) => {
    const parts = half === "" ? [] : half.split(":");
    const last = parts.at(-1);
    const isTail = k === halves.length - 1;
    // An IPv4 address may stand for the last two groups.
    return isTail && last !== undefined && isIpv4(last) ? [...parts.slice(0, -1), "0", "0"] : parts;
  });
  const fits = halves.length === 2 ? groups.length < IPV6_GROUPS : groups.length === IPV6_GROUPS;
  return fits && groups.every((group) => GROUP.test(group));
}
