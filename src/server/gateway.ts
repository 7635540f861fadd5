import { randomUUID } from "node:crypto";
import { Server as NetServer } from "node:net";
import type { AddressInfo } from "node:net";
import { setTimeout as delay } from "node:timers/promises";
import { fastify, type FastifyInstance } from "fastify";
import { Agent } from "undici";
import { blockIds } from "../core/block-ids.ts";
import type { RewriteMode } from "../core/parser.ts";
import type { Rejection } from "../core/rejection.ts";
import type { ExchangeMeter } from "../protocol/exchange-meter.ts";
import { BodyAccount } from "../protocol/body-account.ts";
import type { CoreDriver } from "./core-driver.ts";
import { GatewayExchange, type ExchangeContext } from "./gateway-exchange.ts";
import { DEFAULT_GATEWAY_LIMITS, type GatewayLimits } from "./gateway-limits.ts";
import { readingPlanOf } from "./reading-plan.ts";
import type { UpstreamFailure } from "./upstream-failure.ts";

export interface GatewayOptions {
  /** Core with a loaded config; it stays the caller's. */
  readonly driver: CoreDriver;
  readonly host: string;
  /** 0 takes a free one. */
  readonly port: number;
  readonly rewrite?: RewriteMode;
  readonly limits?: Partial<GatewayLimits>;
  /** Opens the meters of an exchange; absent: nothing is measured. */
  readonly openMeters?: () => readonly ExchangeMeter[];
  /** Told of what a meter threw: no request suffers from it. */
  readonly observerFailed?: (error: unknown) => void;
  /** Told of each attempt at a pod that brought no whole answer. */
  readonly attemptFailed?: (target: string, failure: UpstreamFailure) => void;
}

export interface Gateway {
  readonly port: number;
  /** Requests that are being served. */
  readonly requestCount: number;
  /** Bytes of bodies that are held. */
  readonly bodyBytesInFlight: number;
  /**
   * Takes no more connections, lets running requests end for at most `drainTimeoutMs`, then breaks off what still runs.
   * Resolves to the number of requests that were broken off.
   */
  stop(drainTimeoutMs: number): Promise<number>;
}

/**
 * A request may be on its way on a kept connection when the gateway begins to stop: such connections stay open until
 * nothing came for so long.
 */
const DRAIN_QUIET_MS = 250;
const FULL: Rejection = {
  code: "ServiceUnavailable",
  message: "cannot take the request: too many are in flight (requestsMax), try again",
  droppedReason: "rejected-saturated",
};

/** Starts an HTTP reverse proxy in front of the driver's endpoints. Resolves once it listens. */
export async function startGateway(options: GatewayOptions): Promise<Gateway> {
  const limits = { ...DEFAULT_GATEWAY_LIMITS, ...options.limits };
  const exchanges = new Set<GatewayExchange>();
  let draining = false;
  let lastRequestAtMs = 0;
  const account = new BodyAccount(limits.bodyBytesInFlightMax);
  const agent = createAgent(limits);
  const context: ExchangeContext = {
    driver: options.driver,
    agent,
    reading: { plan: readingPlanOf(options.driver), blockIds },
    rewrite: options.rewrite ?? "splice",
    account,
    newRequestId: randomUUID,
    limits,
    draining: () => draining,
    openMeters: options.openMeters,
    observerFailed: options.observerFailed ?? (() => undefined),
    attemptFailed: options.attemptFailed ?? (() => undefined),
  };
  const app = createServer(limits);
  app.addHook("onRequest", (request, reply) => {
    reply.hijack();
    lastRequestAtMs = performance.now();
    const exchange = new GatewayExchange(context, request.raw, request.originalUrl, reply.raw);
    const full = exchanges.size >= limits.requestsMax;
    exchanges.add(exchange);
    reply.raw.once("close", () => exchanges.delete(exchange));
    exchange.start(full ? FULL : undefined);
  });
  await app.listen({ host: options.host, port: options.port });
  return {
    port: (app.server.address() as AddressInfo).port,
    get requestCount() {
      return exchanges.size;
    },
    get bodyBytesInFlight() {
      return account.bytes;
    },
    async stop(drainTimeoutMs) {
      draining = true;
      // Not http.Server's own close, which cuts kept connections off while a request may be on its way on them.
      NetServer.prototype.close.call(app.server);
      const deadlineMs = performance.now() + drainTimeoutMs;
      const quiet = (): boolean => exchanges.size === 0 && performance.now() - lastRequestAtMs >= DRAIN_QUIET_MS;
      lastRequestAtMs = performance.now();
      while (!quiet() && performance.now() < deadlineMs) await delay(10);
      const broken = exchanges.size;
      for (const exchange of exchanges) exchange.abort();
      app.server.closeAllConnections();
      await app.close();
      await agent.destroy();
      return broken;
    },
  };
}

/** Every request, whatever its method and path, is taken by the onRequest hook: no route is ever looked up. */
function createServer(limits: GatewayLimits): FastifyInstance {
  const app = fastify({
    rewriteUrl: () => "/",
    return503OnClosing: false,
    forceCloseConnections: true,
    requestTimeout: limits.requestTimeoutMs,
    keepAliveTimeout: limits.keepAliveTimeoutMs,
    http: {
      maxHeaderSize: limits.headerBytesMax,
      headersTimeout: limits.headersTimeoutMs,
      connectionsCheckingInterval: Math.min(limits.headersTimeoutMs, 5000),
    },
  });
  app.server.maxConnections = limits.connectionsMax;
  return app;
}

function createAgent(limits: GatewayLimits): Agent {
  return new Agent({
    pipelining: 1,
    connect: { timeout: limits.connectTimeoutMs },
    headersTimeout: limits.responseHeadersTimeoutMs,
    bodyTimeout: limits.responseIdleTimeoutMs,
    maxHeaderSize: limits.headerBytesMax,
  });
}
