import fc from "fast-check";

// Otherwise a list, string or span of bytes with a maxLength of its own stays below ten, whatever the maxLength.
fc.configureGlobal({ defaultSizeToMaxWhenMaxSpecified: true });
