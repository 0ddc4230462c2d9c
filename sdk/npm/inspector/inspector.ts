import {
  BandpassError,
  createVerifier,
  inspect,
  type Check,
  type Expected,
  type Inspection,
  type StatusListInfo,
  type Verified,
  type Verifier,
} from '@bandpass/verifier/inline'

import { element, part } from './dom.js'
import { complete, fill, input, isField, mark, Mistake, suggest, useNow, type Input } from './form.js'
import { checks, decoded, proved, sentence, type Part } from './show.js'

/** What came of a token. */
interface Judgement {
  list: Check[]
  verified?: Verified
  error?: BandpassError
  /** The field that the error is about. */
  field?: string
  statusLists: StatusListInfo[]
}

/** The presentations of a token, in a `vp_token` by their queries. */
async function parts(token: string): Promise<Part[]> {
  const one = async (presentation: unknown) => {
    try {
      return await inspect(typeof presentation === 'string' ? presentation : '')
    } catch (error) {
      if (error instanceof BandpassError) return error
      throw error
    }
  }
  const answers = answersIn(token)
  if (!answers) return token === '' ? [] : [{ content: await one(token) }]
  return Promise.all(answers.map(async ([query, presentation]) => ({ query, content: await one(presentation) })))
}

/** Query and presentation, if that is what a token is made of. */
function answersIn(token: string): [string, unknown][] | undefined {
  try {
    const found: unknown = JSON.parse(token)
    if (typeof found !== 'object' || found === null || Array.isArray(found)) return undefined
    return Object.entries(found).flatMap(([query, list]) =>
      Array.isArray(list) ? list.map((one: unknown): [string, unknown] => [query, one]) : [[query, list]])
  } catch {
    return undefined
  }
}

/** What the proof of the presentation that is checked says of itself. */
function proof(found: Part[], query: string | undefined): { nonce?: string; audience?: string; now?: number } {
  const isWhole = (content: Part['content'] | undefined): content is Inspection => content !== undefined && !(content instanceof BandpassError)
  const content = found.find((one) => one.query === query)?.content
  if (!isWhole(content)) return {}
  const { nonce, aud, iat } = content.kbJwt?.payload ?? {}
  return {
    ...(typeof nonce === 'string' && nonce !== '' && { nonce }),
    ...(typeof aud === 'string' && aud !== '' && { audience: aud }),
    ...(typeof iat === 'number' && Number.isInteger(iat) && iat >= 0 && iat < 8.64e12 && { now: iat }),
  }
}

/** What is taken from the proof for want of anything else, and the checks that compare the proof with it. */
const TAKEN = {
  nonce: ['holder.nonce'],
  audience: ['holder.audience'],
  now: ['holder.stale', 'holder.future'],
} as const

async function judge(token: string, trust: string, lists: Input['statusLists'], expected: Expected): Promise<Judgement> {
  const statusLists: StatusListInfo[] = []
  let verifier: Verifier | undefined
  let field = 'trust'
  try {
    verifier = await createVerifier({ trust })
    field = 'statusLists'
    for (const list of lists) statusLists.push(verifier.updateStatus(list, expected.now))
    field = ''
    return { list: verifier.explain(token, expected), ...verdict(verifier, token, expected), statusLists }
  } catch (error) {
    if (!(error instanceof BandpassError)) throw error
    return { list: await refused(error), error, field: field || fieldOf(error), statusLists }
  } finally {
    verifier?.free()
  }
}

function verdict(verifier: Verifier, token: string, expected: Expected): { verified: Verified } | { error: BandpassError } {
  try {
    return { verified: verifier.verify(token, expected) }
  } catch (error) {
    if (error instanceof BandpassError) return { error }
    throw error
  }
}

/** A refusal before there was a token to check: no check after it was reached. */
async function refused({ code }: BandpassError): Promise<Check[]> {
  const nobody = await createVerifier({ trust: { issuers: [] } })
  const all = nobody.explain('', { audience: 'nobody', nonce: 'none', now: new Date(0) })
  nobody.free()
  const place = all.findIndex((check) => check.code === code)
  if (place < 0) return []
  return all.map((check, at) => ({
    ...check,
    outcome: at === place ? 'failed' : at > place ? 'not-reached' : 'not-applicable',
  }))
}

function fieldOf({ claim = '' }: BandpassError): string {
  const names: { [claim: string]: string } = { transaction_data: 'transactionData' }
  const found = names[claim] ?? claim
  return claim.startsWith('$') ? 'dcql' : found
}

async function look(): Promise<void> {
  const { token, trust, statusLists, expected, mistakes } = input()
  const found = await parts(token)
  const query = expected.query ?? found[0]?.query
  const said = proof(found, query)
  suggest({ ...said, ...(found[0]?.query !== undefined && { query: found[0].query }) })
  const unreadable = found.length === 1 && found[0]?.content instanceof BandpassError ? found[0].content : undefined
  const marked = [...mistakes, ...(unreadable ? [new Mistake('token', `${sentence(unreadable.message)} (${unreadable.code})`)] : [])]
  const transactionData = expected.transactionData ?? []

  if (token === '') {
    mark(marked)
    return show(say('', 'Paste a token, or try an example.'))
  }
  if (trust === '' || mistakes.length > 0) {
    mark(marked)
    const why = mistakes.length > 0
      ? say('wait', 'Not checked.', ' Correct the marked fields first.')
      : say('wait', 'Decoded, not checked.', ' Give a trust list to run the checks.')
    return show(why, decoded(found, transactionData, []))
  }
  const asked: Expected = {
    nonce: said.nonce ?? 'none',
    audience: said.audience ?? 'nobody',
    now: new Date(said.now === undefined ? Date.now() : said.now * 1000),
    ...(query !== undefined && { query }),
    ...expected,
  }
  const judged = await judge(token, trust, statusLists, asked)
  const { error, field, verified } = judged
  if (error && field && isField(field)) marked.push(new Mistake(field, `${sentence(error.message)} (${error.code})`))
  mark(marked)
  const taken = (Object.keys(TAKEN) as (keyof typeof TAKEN)[]).filter((name) => expected[name] === undefined && said[name] !== undefined)
  const assumed = new Set<string>(taken.flatMap((name) => TAKEN[name]))
  const names = taken.map((name) => (name === 'now' ? 'time' : name)).join(', ')
  const ownWord = names && ` But the proof’s own word was taken for: ${names}. Enter what you know.`
  const answer = error
    ? say('bad', `Refused: ${error.code}.`, ` ${sentence(error.message)}`)
    : say(ownWord ? 'wait' : 'good', 'Accepted.', ` Every check that applies passed.${ownWord}`)
  show(
    answer,
    verified && proved(verified),
    judged.list.length > 0 ? checks(judged.list, error, assumed) : undefined,
    decoded(found, transactionData, judged.statusLists),
  )
}

function say(kind: string, verdict: string, more = ''): HTMLElement {
  return element('p', { class: kind }, element('strong', {}, verdict), more)
}

function show(verdict: HTMLElement, ...findings: (HTMLElement | undefined)[]): void {
  const place = part('verdict', HTMLElement)
  // Said again only if it is another.
  if (place.textContent !== verdict.textContent) place.replaceChildren(verdict)
  part('result', HTMLElement).replaceChildren(...findings.filter((one) => one !== undefined))
}

let pending: number | undefined
let last: Promise<void> = Promise.resolve()

/** Looks once typing pauses; one look after another. */
function soon(delay: number): void {
  part('result', HTMLElement).setAttribute('aria-busy', 'true')
  clearTimeout(pending)
  pending = setTimeout(() => {
    pending = undefined
    last = last.then(look).catch(trouble).finally(() => {
      if (pending === undefined) part('result', HTMLElement).setAttribute('aria-busy', 'false')
    })
  }, delay)
}

/** Whatever is not the token's fault. */
function trouble(error: unknown): void {
  show(say('bad', 'Nothing was decided.', ` ${error instanceof Error ? sentence(error.message) : ''}`))
}

complete()
part('version', HTMLElement).textContent = `@bandpass/verifier ${VERSION}`
const form = part('form', HTMLFormElement)
form.addEventListener('input', () => soon(200))
form.addEventListener('submit', (event) => event.preventDefault())
form.addEventListener('reset', () => soon(0))
for (const button of form.querySelectorAll<HTMLButtonElement>('[data-example]')) {
  button.addEventListener('click', () => {
    const example = EXAMPLES[button.dataset['example'] ?? '']
    if (example) fill(example)
    soon(0)
  })
}
part('use-now', HTMLButtonElement).addEventListener('click', () => {
  useNow()
  soon(0)
})
soon(0)
