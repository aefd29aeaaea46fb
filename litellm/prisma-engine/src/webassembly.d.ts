// The few parts of WebAssembly that are used. TypeScript brings them for browsers only.
declare namespace WebAssembly {
  class RuntimeError extends Error {}
  interface Instance {
    readonly exports: Record<string, unknown>;
  }
  function instantiate(code: Uint8Array, imports: Record<string, unknown>): Promise<{ instance: Instance }>;
}
