import type { FastifyInstance, FastifyReply, FastifyRequest } from "fastify";
import type { Plan } from "../../core/plan.ts";
import { pluginStates } from "./plugin-state.ts";
import { type ProfileKind, takeProfile } from "./take-profile.ts";

export interface DebugOptions {
  /** The plan that is current. */
  readonly plan: () => Plan;
  /** Whether profiles can be taken (--enable-pprof). */
  readonly pprof: boolean;
}

/** How long a profile lasts when nothing is said of it: as Go for the CPU; of memory a glance. */
const DEFAULT_SECONDS: Readonly<Record<ProfileKind, number>> = { profile: 30, heap: 2 };
/** Longest profile: its samples are kept until it ends. */
const PROFILE_SECONDS_MAX = 300;

const INDEX = `<html><head><title>/debug/pprof/</title></head><body><p>Profiles for go tool pprof:</p><ul>
<li><a href="profile?seconds=30">profile</a>: time on the CPU, over so many seconds</li>
<li><a href="heap?seconds=2">heap</a>: memory allocated within so many seconds and still in use</li>
</ul></body></html>
`;

/** What helps to find out why a picker does what it does, beside its metrics page: plugins' states, and profiles. */
export function registerDebugRoutes(app: FastifyInstance, { plan, pprof }: DebugOptions): void {
  app.all("/debug/plugins/state", (request, reply) => {
    if (request.method !== "GET") {
      return reply.code(405).header("allow", "GET").type("text/plain; charset=utf-8").send("Method Not Allowed\n");
    }
    return reply.send({ timestamp: new Date().toISOString(), plugins: pluginStates(plan()) });
  });
  if (!pprof) return;
  const profile = profiler();
  app.get("/debug/pprof/", (_request, reply) => reply.type("text/html; charset=utf-8").send(INDEX));
  app.get("/debug/pprof/profile", (request, reply) => profile("profile", request, reply));
  app.get("/debug/pprof/heap", (request, reply) => profile("heap", request, reply));
}

/** Takes one profile at a time. */
function profiler() {
  let isBusy = false;
  return async (kind: ProfileKind, request: FastifyRequest, reply: FastifyReply): Promise<FastifyReply> => {
    const { seconds: given = DEFAULT_SECONDS[kind] } = request.query as { readonly seconds?: string };
    const seconds = Number(given);
    const refuse = (code: number, why: string) =>
      reply.code(code).type("text/plain; charset=utf-8").send(`Cannot take a profile: ${why}\n`);
    if (!(seconds > 0 && seconds <= PROFILE_SECONDS_MAX)) {
      return refuse(400, `found seconds=${String(given)}, expected a number above 0 and up to ${PROFILE_SECONDS_MAX}`);
    }
    if (isBusy) return refuse(409, "another one is being taken");
    isBusy = true;
    const gone = new AbortController();
    request.raw.socket.once("close", () => gone.abort());
    try {
      const bytes = await takeProfile(kind, seconds, gone.signal);
      return await reply
        .type("application/octet-stream")
        .header("content-disposition", `attachment; filename="${kind}"`)
        .send(Buffer.from(bytes));
    } finally {
      isBusy = false;
    }
  };
}
