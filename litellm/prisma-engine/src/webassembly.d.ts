// The few parts of WebAssembly that are used. TypeScript has them only in its library for browsers.
declare namespace WebAssembly {
  class RuntimeError extends Error {}
  interface Instance {
    readonly exports: Record<string, unknown>;
  }
  function instantiate(code: Uint8Array, imports: Record<string, unknown>): Promise<{ instance: Instance }>;
}
