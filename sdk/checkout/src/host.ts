// What a page may ask of the host: it has the secret of one challenge, and no key.
import { readMethods } from './challenge.js'
import type { ChallengeResponse } from './challenge.js'
import { CheckoutError, malformed } from './error.js'
import { object, parse, text } from './json.js'
import type { Json } from './json.js'

/** Seconds that the host waits for a decision before it answers that there is none. */
const WAIT = 5
/** Milliseconds after which a request that failed is sent again, and then again. */
const AGAIN = [500, 1_500, 4_000]
/** Milliseconds between two questions, should the host not wait. */
const PAUSE = 250

/** What became of a challenge, as far as a page is told. */
export type Outcome =
  | { readonly status: 'pending'; readonly refusal?: string }
  | { readonly status: 'expired' }
  | { readonly status: 'closed'; readonly refusal?: string }
  | { readonly status: 'decided'; readonly decision: 'allow' | 'deny'; readonly reason: string }
  | { readonly status: 'decided'; readonly decision: 'step-up'; readonly reason: string; readonly methods: readonly string[] }

export class Host {
  readonly #url: string

  /** `url`: the host's `public_url`. Secrets go there, so it is https, or this very machine. */
  constructor(url: string) {
    const parsed = URL.canParse(url) ? new URL(url) : undefined
    const here = parsed?.protocol === 'http:' && ['localhost', '127.0.0.1', '[::1]'].includes(parsed.hostname)
    if (!parsed || !(here || parsed.protocol === 'https:')) throw new CheckoutError('checkout.host', '`host` is no https address')
    this.#url = parsed.href.replace(/\/$/, '')
  }

  /** The signed request of a link, where the wallet gets it too. */
  async request({ redirect }: ChallengeResponse, signal: AbortSignal): Promise<string | undefined> {
    if (redirect?.request_uri === undefined) return undefined
    const inLink = new URL(redirect.wallet_url).searchParams.getAll('request_uri')
    if (inLink.length !== 1 || inLink[0] !== redirect.request_uri || !redirect.request_uri.startsWith(`${this.#url}/`))
      throw malformed('`request_uri` is not the host\u2019s')
    const path = redirect.request_uri.slice(this.#url.length)
    return (await this.#send(path, { signal }, AGAIN)).text()
  }

  /** Hands over what the wallet answered. The same again changes nothing, so it may be sent again. */
  async respond({ id, session_secret }: ChallengeResponse, data: Json, signal: AbortSignal): Promise<void> {
    await this.#send('/v1/responses', { ...post(session_secret, { id, data }), signal }, AGAIN)
  }

  /** Closes a challenge, so that nobody answers it any more. To a link it is the wallet that answers, by a form; that the
   * wearer declines anybody may say. */
  async decline({ id, session_secret, redirect }: ChallengeResponse, signal: AbortSignal): Promise<void> {
    const error = 'access_denied'
    const form = { method: 'POST', body: new URLSearchParams({ error, state: id }) }
    await this.#send('/v1/responses', { ...(redirect ? form : post(session_secret, { id, data: { error } })), signal }, AGAIN)
  }

  /** Takes up a step-up, which can be done once. */
  async stepUp({ id, session_secret }: ChallengeResponse, signal: AbortSignal): Promise<unknown> {
    const answer = await this.#send(`/v1/decisions/${encodeURIComponent(id)}/step-up`, { ...post(session_secret), signal }, [])
    return parse(await answer.text(), 'the challenge')
  }

  /** Tells every change until there will be no other. */
  async *follow(challenge: ChallengeResponse, responseCode: string | undefined, signal: AbortSignal): AsyncGenerator<Outcome> {
    const { id, session_secret } = challenge
    const query = new URLSearchParams({ wait: String(WAIT), ...(responseCode !== undefined && { response_code: responseCode }) })
    const request = { headers: bearer(session_secret), signal }
    for (;;) {
      const answer = await this.#send(`/v1/decisions/${encodeURIComponent(id)}?${query}`, request, AGAIN)
      const outcome = readOutcome(parse(await answer.text(), 'the decision'), id)
      yield outcome
      if (outcome.status !== 'pending') return
      await pause(PAUSE, signal)
    }
  }

  async #send(path: string, request: RequestInit, again: readonly number[]): Promise<Response> {
    for (const delay of [...again, undefined]) {
      let problem: CheckoutError
      try {
        const answer = await fetch(this.#url + path, { ...request, credentials: 'omit', referrerPolicy: 'no-referrer', redirect: 'error', cache: 'no-store' })
        if (answer.ok) return answer
        problem = await readProblem(answer)
        // Anything else would be answered in the same way.
        if (answer.status !== 503 && answer.status !== 429) throw problem
      } catch (error) {
        if (error instanceof CheckoutError || request.signal?.aborted) throw error
        problem = new CheckoutError('checkout.unreachable', 'the host can\u2019t be reached', { cause: error })
      }
      if (delay === undefined) throw problem
      await pause(delay, request.signal)
    }
    throw malformed('no request was sent')
  }
}

const bearer = (secret: string) => ({ authorization: `Bearer ${secret}` })

function post(secret: string, body?: Json): RequestInit {
  if (body === undefined) return { method: 'POST', headers: bearer(secret) }
  return { method: 'POST', headers: { ...bearer(secret), 'content-type': 'application/json' }, body: JSON.stringify(body) }
}

/** Problem details (RFC 9457) with the host's code. */
async function readProblem(answer: Response): Promise<CheckoutError> {
  const body = await answer.text()
  if (!answer.headers.get('content-type')?.startsWith('application/problem+json'))
    return malformed(`the host answered ${answer.status}`)
  const { code, title } = object(parse(body, 'the problem'), 'the problem')
  return new CheckoutError(text(code, '`code`'), text(title, '`title`'))
}

function readOutcome(value: unknown, expected: string): Outcome {
  const { id, status, refusal, decision, reason, requirements } = object(value, 'the decision')
  if (id !== expected) throw malformed('the decision is another challenge\u2019s')
  const why = refusal === undefined ? {} : { refusal: text(refusal, '`refusal`') }
  switch (status) {
    case 'pending':
    case 'closed':
      return { status, ...why }
    case 'expired':
      return { status }
    case 'decided':
      if (decision === 'allow' || decision === 'deny') return { status, decision, reason: text(reason, '`reason`') }
      if (decision !== 'step-up') throw malformed('`decision` is not known')
      return { status, decision, reason: text(reason, '`reason`'), methods: readMethods(requirements) }
    default:
      throw malformed('`status` is not known')
  }
}

function pause(milliseconds: number, signal: AbortSignal | null | undefined): Promise<void> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => {
      signal?.removeEventListener('abort', stop)
      resolve()
    }, milliseconds)
    const stop = () => {
      clearTimeout(timer)
      reject(signal?.reason)
    }
    signal?.addEventListener('abort', stop, { once: true })
  })
}
