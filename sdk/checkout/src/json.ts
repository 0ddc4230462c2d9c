// What comes from elsewhere is looked at before it is used.
import { malformed } from './error.js'

export type Json = { readonly [name: string]: unknown }

export function object(value: unknown, what: string): Json {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw malformed(`${what} is no object`)
  return value as Json
}

export function text(value: unknown, what: string): string {
  if (typeof value !== 'string' || value === '') throw malformed(`${what} is no text`)
  return value
}

export function parse(json: string, what: string): unknown {
  try {
    return JSON.parse(json)
  } catch {
    throw malformed(`${what} is no JSON`)
  }
}

/** JSON in base64url, as in a JWS and in transaction data. */
export function decode(encoded: string, what: string): unknown {
  let bytes
  try {
    const binary = atob(encoded.replaceAll('-', '+').replaceAll('_', '/'))
    bytes = new TextDecoder('utf-8', { fatal: true }).decode(Uint8Array.from(binary, (character) => character.charCodeAt(0)))
  } catch {
    throw malformed(`${what} is no base64url of text`)
  }
  return parse(bytes, what)
}
