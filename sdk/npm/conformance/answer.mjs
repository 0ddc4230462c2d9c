// What the package makes of a vector (conformance/README.md). Runs wherever the package does.

/** One with a dot is a JWT, anything else base64url of a CWT, or nothing that it should be. */
function statusList(token) {
  if (token.includes('.')) return token
  try {
    const bytes = Uint8Array.from(atob(token.replaceAll('-', '+').replaceAll('_', '/')), (character) => character.charCodeAt(0))
    const again = btoa(String.fromCharCode(...bytes)).replaceAll('+', '-').replaceAll('/', '_').replaceAll('=', '')
    return again === token ? bytes : token
  } catch {
    return token
  }
}

const bytes = (text) =>
  text === undefined ? undefined : Uint8Array.from(atob(text.replaceAll('-', '+').replaceAll('_', '/')), (character) => character.charCodeAt(0))

/** Audience and nonce, or what stands in their place. */
function bound({ audience, nonce, binding, measured_distance_mm: measuredDistanceMm }) {
  if (!binding) return { audience, nonce, measuredDistanceMm }
  const { type, nonce: bindingNonce, origin, client_id: clientId, response_uri: responseUri, jwk_thumbprint: jwkThumbprint } = binding
  const of = {
    openid4vp: { clientId, nonce: bindingNonce, responseUri, jwkThumbprint },
    'dc-api': { origin, nonce: bindingNonce, jwkThumbprint },
    proximity: { sessionTranscript: bytes(binding.session_transcript), readerKey: bytes(binding.reader_key) },
  }
  return { binding: { type, ...of[type] }, measuredDistanceMm }
}

/** What the package takes for a vector. */
export function given({ trust, status_lists = [], vp_token, expected: { now, dcql, ...rest } }) {
  const at = new Date(now * 1000)
  const require = {}
  const names = { unlocked_within: 'unlockedWithin', distance_mm: 'distanceMm', age_at_least: 'ageAtLeast', same_holder_as: 'sameHolderAs' }
  for (const [name, value] of Object.entries(rest.requirements ?? {})) require[names[name] ?? name] = value
  return {
    options: { trust, statusLists: status_lists.map(statusList), now: at },
    token: vp_token,
    expected: {
      ...bound(rest), now: at, dcql, require,
      query: rest.query_id,
      maxAge: rest.max_age,
      clockTolerance: rest.clock_tolerance,
      statusMaxAge: rest.status_max_age,
      transactionData: rest.transaction_data,
    },
  }
}

/** The verdict on a vector, as the vector has it. */
export async function verdict(createVerifier, vector) {
  const { options, token, expected } = given(vector)
  try {
    const verifier = await createVerifier(options)
    try {
      const { claims, transactions } = verifier.verify(token, expected)
      return { claims, transactions: transactions.map(({ id }) => id ?? null) }
    } finally {
      verifier.free()
    }
  } catch (error) {
    if (error.name !== 'BandpassError' || typeof error.code !== 'string') throw error
    return { code: error.code }
  }
}

/** The line for a vector. */
export async function answer({ createVerifier }, vector) {
  const found = await verdict(createVerifier, vector)
  return { name: vector.name, result: 'code' in found ? 'refused' : 'accepted', ...found }
}

export async function answers(verifier, vectors) {
  const found = []
  for (const vector of vectors) found.push(await answer(verifier, vector))
  return found
}
