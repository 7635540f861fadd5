import type { Plan } from "../core/plan.ts";
import { createParserTable, type ParserTable } from "../plugins/parsers/resolve-parser.ts";
import type { ReadingPlan } from "../protocol/machine-options.ts";
import type { CoreDriver } from "./core-driver.ts";

/** What has to be read of requests, by the plan that is current when it is asked for. */
export function readingPlanOf(driver: CoreDriver): () => ReadingPlan {
  let known: Plan | undefined;
  let parsers: ParserTable;
  return () => {
    const { plan } = driver.core;
    if (plan !== known) {
      known = plan;
      parsers = createParserTable(plan.parsers);
    }
    const { headerNames, tokenizes, media } = plan;
    // Unread scrapes may change the block sizes.
    if (tokenizes) driver.drain();
    return {
      resolveParser: (path) => parsers.resolve(path),
      headerNames,
      tokenizes,
      ...(media && { media }),
      // Not kept: what sizes are wanted may change with the pool.
      blockSizesTokens: tokenizes ? driver.core.blockSizesTokens() : [],
    };
  };
}
