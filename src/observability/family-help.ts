/** Help of a family, as the stock EPP begins it. */
export const helpOf = (help: string): string => `[ALPHA] ${help}`;

/** Help of a family under the name of older releases. @param name its name today */
export const olderHelpOf = (name: string, help: string): string => `[ALPHA] [Deprecated: Use ${name}] ${help}`;
