import type { OldForm } from "./old-form.ts";
import { topLevelParser } from "./top-level-parser.ts";
import { topLevelSaturationDetector } from "./top-level-saturation-detector.ts";

/** Every older form that is understood, one file each, in the order in which they are applied. */
export const OLD_FORMS: readonly OldForm[] = [topLevelSaturationDetector, topLevelParser];
