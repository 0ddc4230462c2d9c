import { readFile } from 'node:fs/promises'

import type { WasmSource } from './engine.js'

/** Node fetches no files. */
export async function file(source: WasmSource): Promise<Response | WasmSource> {
  return source instanceof URL && source.protocol === 'file:' ? readFile(source) : source
}
