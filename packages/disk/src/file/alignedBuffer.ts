/**
 * Page-aligned memory: what O_DIRECT needs and what an ordinary Buffer cannot promise. WebAssembly memory always begins at a
 * page border, and comes zeroed.
 */
const WASM_PAGE_BYTES = 64 * 1024;

export function alignedBuffer(bytes: number): Buffer {
  // Looked up by name: its types belong to the DOM library, which a program without a browser does not load.
  const { Memory } = Reflect.get(globalThis, 'WebAssembly');
  const memory: { readonly buffer: ArrayBuffer } = new Memory({ initial: Math.ceil(bytes / WASM_PAGE_BYTES) });
  return Buffer.from(memory.buffer, 0, bytes);
}
