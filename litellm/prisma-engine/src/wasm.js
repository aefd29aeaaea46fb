/**
 * Loads one of Prisma's WebAssembly engines. Their packages import the .wasm file as a module, which
 * Node does only behind a flag, so the parts that wasm-bindgen made are put together by hand:
 * https://rustwasm.github.io/docs/wasm-bindgen/reference/deployment.html
 */
import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import path from 'node:path';
import { pathToFileURL } from 'node:url';

const require = createRequire(import.meta.url);
let copies = 0;

/**
 * A new, independent copy of the engine on every call. The glue module keeps its instance in a module
 * variable, so each copy is imported under a URL of its own.
 *
 * @param {string} glueModule the `…_bg.js` of a package; its .wasm file is next to it
 * @returns {Promise<any>} the glue module, whose exports depend on the engine
 */
export async function loadWasmEngine(glueModule) {
  const glueFile = require.resolve(glueModule);
  const [glue, code] = await Promise.all([
    import(`${pathToFileURL(glueFile)}?copy=${copies++}`),
    readFile(glueFile.replace(/\.js$/, '.wasm')),
  ]);
  const { instance } = await WebAssembly.instantiate(code, { [`./${path.basename(glueFile)}`]: glue });
  glue.__wbg_set_wasm(instance.exports);
  /** @type {() => void} */ (instance.exports.__wbindgen_start)();
  return glue;
}
