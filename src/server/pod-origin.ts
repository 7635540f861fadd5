/**
 * Where a decision's target is reached: `http://host:port`. A bare IPv6 address, as decisions on requests without a body
 * have it (the stock EPP writes it so), gets its brackets.
 */
export function podOrigin(target: string): string {
  const colon = target.lastIndexOf(":");
  const host = target.slice(0, colon);
  return host.includes(":") && !host.startsWith("[") ? `http://[${host}]${target.slice(colon)}` : `http://${target}`;
}
