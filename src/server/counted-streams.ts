import type { StreamHandler } from "./transport.ts";

/**
 * Tells `open` of each stream's beginning, and what that gave of its end, with the gRPC code that it ended with first. As
 * stock, one that the proxy broke off ended well: Envoy ends them so. What either throws goes to `failed`.
 */
export function countedStreams(
  serve: StreamHandler,
  open: () => (code: number) => void,
  failed: (error: unknown) => void,
): StreamHandler {
  return (serverStream) => {
    let over: ((code: number) => void) | undefined;
    try {
      over = open();
    } catch (error) {
      failed(error);
    }
    let code: number | undefined;
    const events = serve({
      send: (parts, flushed) => serverStream.send(parts, flushed),
      end(status) {
        code ??= status.code;
        serverStream.end(status);
      },
    });
    return {
      ...events,
      onClosed(how) {
        events.onClosed(how);
        try {
          over?.(code ?? 0);
        } catch (error) {
          failed(error);
        }
      },
    };
  };
}
