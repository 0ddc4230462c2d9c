import type { Core, Engine, Request, WasmSource } from './engine.js'
import { BandpassError, type Failure } from './error.js'
import type { DecodedJws, Disclosure } from './types.js'

/** What wasm-bindgen makes of `src/lib.rs`. */
export interface Glue {
  default(source: { module_or_path: unknown }): Promise<object>
  __wbg_reset_state(): void
  Verifier: {
    open(trust: Uint8Array, remember: boolean): GlueVerifier
  }
  inspect?(token: Uint8Array): string
}

interface GlueVerifier {
  refusal(): string
  update(token: Uint8Array, request: Uint8Array): string
  verify(token: Uint8Array, request: Uint8Array): string
  explain?(token: Uint8Array, request: Uint8Array): string
  free(): void
}

/** The verifier through wasm-bindgen. `source`: where the module is, unless the caller says so. */
export function wasmBindgen(glue: Glue, source: (given?: WasmSource) => unknown): Engine {
  const { inspect } = glue
  return {
    async load(given) {
      const exports = await glue.default({ module_or_path: await source(given) })
      // Another module than ours may have been given, now or before.
      if (!('verifier_verify' in exports)) throw new TypeError('it is not the verifier')
    },
    replace() {
      glue.__wbg_reset_state()
    },
    open(trust, remember) {
      const held = glue.Verifier.open(trust, remember)
      try {
        answer(held.refusal())
      } catch (error) {
        held.free()
        throw error
      }
      return core(held)
    },
    ...(inspect && {
      inspect(token) {
        const { verified, disclosures, approval, ...jwts } = answer<{
          verified: false
          issuer_jwt: DecodedJws
          disclosures: Disclosure[]
          kb_jwt?: DecodedJws
          approval?: DecodedJws
        }>(inspect(token))
        return {
          verified,
          issuerJwt: jwts.issuer_jwt,
          disclosures,
          ...(jwts.kb_jwt && { kbJwt: jwts.kb_jwt }),
          ...(approval && { approval }),
        }
      },
    }),
  }
}

function core(held: GlueVerifier): Core {
  return {
    updateStatus: (token, now) => answer(held.update(token, json({ now }))),
    verify: (token, request, all) => answer(held.verify(token, json({ ...request, all }))),
    ...('explain' in held && { explain: (token, request) => answer(held.explain?.(token, json(request)) ?? '') }),
    free: () => held.free(),
  }
}

function json(request: Partial<Request> & { all?: boolean }): Uint8Array {
  return new TextEncoder().encode(JSON.stringify(request))
}

function answer<T>(text: string): T {
  const found = JSON.parse(text) as T & { error?: Failure } | null
  if (found?.error) throw new BandpassError(found.error.code, found.error.message, found.error)
  return found as T
}
