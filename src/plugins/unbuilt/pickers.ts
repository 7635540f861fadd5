import { pickerParams } from "../pickers/picker-params.ts";
import { defineUnbuilt } from "./define-unbuilt.ts";

export const UNBUILT_PICKERS = [
  // 4
  defineUnbuilt({ type: "weighted-random-picker", points: ["picker"], params: pickerParams }),
];
