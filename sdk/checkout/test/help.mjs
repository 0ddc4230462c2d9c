import { fileURLToPath } from 'node:url'

export const TARGET = process.env['BANDPASS_TARGET'] ?? fileURLToPath(new URL('../../../target', import.meta.url))

/** Where the package is that was built. */
export const PACKAGE = `${TARGET}/dist/checkout`
