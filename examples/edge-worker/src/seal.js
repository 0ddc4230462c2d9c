// What the browser keeps for us, and can't change: JSON with an HMAC-SHA-256 over it.

const bytes = (text) => new TextEncoder().encode(text)
const base64url = (bytes) => btoa(Array.from(bytes, (byte) => String.fromCharCode(byte)).join('')).replaceAll('+', '-').replaceAll('/', '_').replaceAll('=', '')
const decoded = (text) => Uint8Array.from(atob(text.replaceAll('-', '+').replaceAll('_', '/')), (character) => character.charCodeAt(0))
const hmac = (secret) => crypto.subtle.importKey('raw', decoded(secret), { name: 'HMAC', hash: 'SHA-256' }, false, ['sign', 'verify'])

/** `secret`: at least 32 random bytes in base64url. */
export async function seal(secret, content) {
  const text = base64url(bytes(JSON.stringify(content)))
  return `${text}.${base64url(new Uint8Array(await crypto.subtle.sign('HMAC', await hmac(secret), bytes(text))))}`
}

/** What was sealed; nothing if it was not by us. */
export async function unseal(secret, sealed) {
  const [, text, mac] = /^([\w-]+)\.([\w-]{43})$/.exec(typeof sealed === 'string' ? sealed : '') ?? []
  if (text === undefined) return undefined
  // Compares in constant time.
  const good = await crypto.subtle.verify('HMAC', await hmac(secret), decoded(mac), bytes(text))
  return good ? JSON.parse(new TextDecoder().decode(decoded(text))) : undefined
}
