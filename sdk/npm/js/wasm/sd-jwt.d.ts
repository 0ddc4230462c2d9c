declare const glue: import('../wasm-bindgen.js').Glue
declare const start: (typeof glue)['default']
declare const reset: (typeof glue)['__wbg_reset_state']
export { start as default, reset as __wbg_reset_state }
export declare const Verifier: (typeof glue)['Verifier']
