// What both workers do.
import { createPolicy } from './policy.js'
import { Source } from './source.js'
import { seal, unseal } from './seal.js'

/** Seconds for which a challenge can be answered, and a step-up taken up. */
const CHALLENGE = 120
const STEP_UP = 300
/** Longest body in bytes: what the verifier takes, and the sealed challenge. */
const MAX_BODY = 640 << 10
/** Seconds after which trust and status are looked for again, unless the environment says so, and after which trust that was
 * not found again is not used. */
const REFRESH = 30
const MAX_TRUST_AGE = 86_400
const MERCHANT = 'merchant-7'
const SETTINGS = { currency: 'CNY', passwordless_limit: '200.00' }
const PRICES = { longjing: '35.00', tieguanyin: '128.00', puer: '900.00' }

class Refusal extends Error {
  constructor(status, code, message) {
    super(message)
    Object.assign(this, { status, code })
  }
}

const malformed = (message) => new Refusal(400, 'request.malformed', message)

/** `POST /challenge` and `POST /decision`. `remembered` has for a transaction's id what is remembered of it, if anything is. */
export async function checkout(request, env, ctx, remembered) {
  try {
    const { pathname } = new URL(request.url)
    const work = { '/challenge': challenge, '/decision': decision }[pathname]
    if (!work) throw new Refusal(404, 'request.unknown', 'there is nothing here')
    if (request.method !== 'POST') throw new Refusal(405, 'request.method', 'this takes POST')
    const visit = {
      now: new Date(),
      session: cookie(request) ?? crypto.randomUUID(),
      merchant: MERCHANT,
      context: { country: request.headers.get('cf-ipcountry') },
    }
    const answer = await work(await body(request), visit, env, await policy(env, ctx), remembered)
    const headers = { 'cache-control': 'no-store', 'set-cookie': `__Host-checkout=${visit.session}; Path=/; Secure; HttpOnly; SameSite=Strict` }
    return Response.json(answer, { headers })
  } catch (error) {
    // Our own, or what the policy says of itself; anything else is a fault, about which callers learn nothing.
    const { status, code } = error instanceof Refusal ? error : { status: 503, code: error.name === 'BandpassError' ? error.code : 'host.runtime' }
    if (code === 'host.runtime') console.error(error)
    return Response.json({ code, message: code === 'host.runtime' ? 'this failed' : error.message }, { status })
  }
}

/** What the wallet is to answer; the same sealed, for us to remember. */
async function challenge({ item, step_up }, { now, session, merchant, context }, env, policy, remembered) {
  const before = step_up === undefined ? undefined : await opened(step_up, 'step-up', session, now, env)
  if (before && remembered) {
    const used = await remembered(before.transaction.payload.transaction_id).stepUp(before.id, before.expires)
    if (used) throw new Refusal(409, used, 'this step-up was taken up before')
  }
  const amount = Object.hasOwn(PRICES, item ?? '') ? PRICES[item] : undefined
  if (!before && amount === undefined) throw malformed('`item` is nothing that is sold here')
  const transaction = before?.transaction ?? {
    type: 'urn:bandpass:payment:1',
    payload: { transaction_id: crypto.randomUUID(), payee: { name: 'Tea at the Edge', id: merchant }, currency: SETTINGS.currency, amount },
  }
  const made = policy.createChallenge({
    audience: `origin:${env.ORIGIN}`, transactions: [transaction], now, merchant, context, ...(before && { require: before.require }),
  })
  const expires = seconds(now) + CHALLENGE
  const sealed = await seal(env.SEAL_KEY, { kind: 'challenge', id: made.nonce, expires, session, transaction, challenge: made, steppedUp: Boolean(before) })
  const data = {
    response_type: 'vp_token',
    response_mode: 'dc_api',
    nonce: made.nonce,
    dcql_query: JSON.parse(made.dcql),
    transaction_data: made.transactionData,
  }
  return { sealed, expires, request: { protocol: 'openid4vp-v1-unsigned', data } }
}

/** What comes of a wallet's answer. */
async function decision({ sealed, vp_token }, { now, session, merchant, context }, env, policy, remembered) {
  if (typeof vp_token !== 'object' || vp_token === null || Array.isArray(vp_token)) throw malformed('`vp_token` is no object')
  const asked = await opened(sealed, 'challenge', session, now, env)
  const decided = policy.decide(vp_token, { ...asked.challenge, now, merchant, context })
  const { transaction_id } = asked.transaction.payload
  switch (decided.decision) {
    case 'allow': {
      const { decision, reason, obligations } = decided
      if (!remembered) return { decision, reason, replayable: true, effect: { paid: transaction_id } }
      // Before anybody hears of it.
      const used = await remembered(transaction_id).allow(asked.id, asked.expires)
      if (used) return { decision: 'deny', reason: used, message: 'this was answered before' }
      return { decision, reason, obligations, transaction_id }
    }
    case 'deny':
      return decided
    case 'step-up': {
      if (asked.steppedUp) return { decision: 'deny', reason: 'step-up.repeated', message: 'the policy asked for more after its step-up; start anew' }
      const { decision, reason, message, require } = decided
      const later = { kind: 'step-up', id: asked.id, expires: seconds(now) + STEP_UP, session, transaction: asked.transaction, require }
      return { decision, reason, message, step_up: await seal(env.SEAL_KEY, later) }
    }
  }
}

/** What we sealed for this browser session, if it still counts. */
async function opened(sealed, kind, session, now, env) {
  const found = await unseal(env.SEAL_KEY, sealed)
  if (found?.kind !== kind) throw new Refusal(400, 'challenge.unknown', 'this is nothing that was handed out here')
  if (found.session !== session) throw new Refusal(403, 'request.unauthorized', 'it was handed out to another browser')
  if (found.expires <= seconds(now)) throw new Refusal(410, 'challenge.expired', 'it has expired')
  return found
}

async function body(request) {
  const reader = request.body?.getReader()
  const chunks = []
  for (let length = 0; reader; ) {
    const { done, value } = await reader.read()
    if (done) break
    length += value.length
    if (length > MAX_BODY) throw new Refusal(413, 'request.too-large', `more than ${MAX_BODY} bytes`)
    chunks.push(value)
  }
  let found
  try {
    found = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(await new Blob(chunks).arrayBuffer()))
  } catch {
    throw malformed('the body is no JSON')
  }
  if (typeof found !== 'object' || found === null || Array.isArray(found)) throw malformed('the body is no object')
  return found
}

const seconds = (date) => Math.floor(date.getTime() / 1000)
const cookie = (request) => /(?:^|; )__Host-checkout=([\w-]{1,64})(?:;|$)/.exec(request.headers.get('cookie') ?? '')?.[1]

// One of each in an isolate, made in the first request: before, there is no clock and no randomness.
let trust
let lists
/** The policy under the newest good trust list, and when that was last known to be the newest. */
let current
/** ETag of a trust list that was refused. */
let refused
/** Status lists that were good, by their URLs. */
const good = new Map()

/** The policy, under the newest trust list and with the newest status lists. */
async function policy(env, ctx) {
  const refresh = Number(env.REFRESH ?? REFRESH)
  trust ??= new Source(env.TRUST_URL, refresh)
  lists ??= JSON.parse(env.STATUS_URLS).map((url) => new Source(url, refresh))
  await Promise.all([trust, ...lists].map((source) => source.look(ctx)))
  if (trust.text !== undefined && trust.etag !== current?.etag && trust.etag !== refused) renew(trust)
  if (current && current.etag === trust.etag) current.confirmed = Date.now() / 1000 - trust.age
  if (!current || Date.now() / 1000 - current.confirmed > MAX_TRUST_AGE)
    throw new Refusal(503, 'trust.stale', 'there is no fresh trust list')
  for (const { url, text, etag } of lists) {
    if (text === undefined || current.taken.get(url) === etag) continue
    current.taken.set(url, etag)
    if (take(current.policy, url, text)) good.set(url, text)
  }
  return current.policy
}

/** Makes the policy anew. A trust list that is refused leaves the one before, until that is stale. */
function renew({ url, text, etag }) {
  try {
    const policy = createPolicy({ trust: text, settings: SETTINGS, log: (level, line) => console.log(level, line) })
    for (const [list, text] of good) take(policy, list, text)
    current = { etag, policy, taken: new Map() }
  } catch (error) {
    console.error(`${url}: ${error.code}: ${error.message}`)
    refused = etag
  }
}

/** Takes in a status list. One that is refused leaves the one before, until that is stale. */
function take(policy, url, text) {
  try {
    policy.updateStatus(text, new Date())
    return true
  } catch (error) {
    console.error(`${url}: ${error.code}: ${error.message}`)
    return false
  }
}
