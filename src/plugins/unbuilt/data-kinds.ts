import type { DataKey } from "../../core/data-key.ts";
import { dataKey } from "../../core/data-key.ts";

/** Keys of data that no built plugin gives or takes yet; their values get a type when one does (`spec/plugins.md` 11). */



/** An attribute of an endpoint, or of a request, that a config names. */
export const attributeKey = (attribute: string, producer: string): DataKey<unknown> => dataKey(attribute, producer);
