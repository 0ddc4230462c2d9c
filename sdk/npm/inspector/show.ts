import {
  BandpassError,
  decodeTransactionData,
  type Check,
  type DecodedJws,
  type Disclosure,
  type Evidence,
  type Inspection,
  type Json,
  type StatusListInfo,
  type TransactionData,
  type Verified,
} from '@bandpass/verifier/inline'

import { code, date, element, section, terms, visible } from './dom.js'
import { json } from './json.js'

/** A presentation, taken apart or not. */
export interface Part {
  /** Whose answer it is, in a `vp_token`. */
  query?: string
  content: Inspection | BandpassError
}

const WORDS = { passed: 'passed', failed: 'failed', 'not-reached': 'not reached', 'not-applicable': 'not applicable', assumed: 'assumed' }
type Outcome = keyof typeof WORDS

/** What came of every check, by stage, in their order. `assumed`: those that compare the proof with itself. */
export function checks(list: Check[], error: BandpassError | undefined, assumed: ReadonlySet<string>): HTMLElement {
  const judged = list.map((check) => ({
    ...check,
    outcome: check.outcome === 'passed' && assumed.has(check.code) ? 'assumed' as const : check.outcome,
  }))
  const stages = new Map<string, typeof judged>()
  for (const check of judged) {
    const stage = check.code.replace(/\..*/, '')
    stages.set(stage, [...(stages.get(stage) ?? []), check])
  }
  const shown = [...stages].map(([stage, members]) => {
    const items = members.map((one) =>
      element(
        'li',
        { class: one.outcome },
        element('span', { class: 'outcome' }, WORDS[one.outcome]),
        element('div', {},
          code(one.code),
          one.outcome === 'failed' && error ? failure(error) : element('p', {}, refusal(one.code)),
          one.outcome === 'assumed' ? element('p', { class: 'wait' }, 'Compared with what the proof itself says.') : undefined,
        ),
        element('span', { class: 'standard' }, one.section),
      ),
    )
    const summary = element('summary', {}, element('h3', {}, stage), ' ', count(members.map(({ outcome }) => outcome)))
    const made = element('details', { class: 'stage' }, summary, element('ol', { role: 'list' }, ...items))
    made.open = members.some(({ outcome }) => outcome === 'failed')
    return made
  })
  const all = element('button', { type: 'button' }, 'Unfold all')
  all.addEventListener('click', () => {
    const open = shown.some((stage) => !stage.open)
    for (const stage of shown) stage.open = open
    all.textContent = open ? 'Fold all' : 'Unfold all'
  })
  return section('Checks', element('div', { class: 'total' }, count(judged.map(({ outcome }) => outcome)), all), ...shown)
}

/** What a check refuses, as the end of a sentence. */
function refusal(code: string): string {
  const meaning = MEANINGS[code] ?? ''
  return `Refused if ${/^[A-Z][a-z ]/.test(meaning) ? meaning.slice(0, 1).toLowerCase() : meaning.slice(0, 1)}${meaning.slice(1)}`
}

function count(outcomes: Outcome[]): HTMLElement {
  const parts = (Object.keys(WORDS) as Outcome[]).flatMap((outcome) => {
    const number = outcomes.filter((one) => one === outcome).length
    return number === 0 ? [] : [element('span', { class: outcome }, `${number} ${WORDS[outcome]}`)]
  })
  return element('span', { class: 'counts' }, ...parts.flatMap((one, place) => place > 0 ? [', ', one] : [one]))
}

function failure(error: BandpassError): HTMLElement {
  return element('div', { class: 'failure' },
    element('p', {}, `${sentence(error.message)}`),
    terms([
      ['Claim', error.claim === undefined ? undefined : code(error.claim)],
      ['Expected', error.expected === undefined ? undefined : code(error.expected)],
      ['Actual', error.actual === undefined ? undefined : code(error.actual)],
    ]),
  )
}

/** A message as a sentence. */
export function sentence(message: string): string {
  const text = visible(message)
  return `${text.slice(0, 1).toUpperCase()}${text.slice(1)}.`
}

/** What verifying proved. */
export function proved(verified: Verified): HTMLElement {
  return section('What it proves',
    terms([
      ['Issuer', visible(verified.issuer)],
      ['Type', verified.credentialType === undefined ? undefined : visible(verified.credentialType)],
      ['Expires', time(verified.expires)],
      ['Status', verified.status.replaceAll('-', ' ')],
      ['Holder’s key', verified.keyThumbprint === undefined ? undefined : code(verified.keyThumbprint)],
    ]),
    ...verified.transactions.map(({ type, id, payment, payload }) => element('div', { class: 'transaction' },
      payment
        ? payable(payment.amount, payment.currency, payment.payee)
        : element('p', { class: 'sum' }, visible(type)),
      terms([['Transaction', id === undefined ? undefined : visible(id)], ['Type', visible(type)]]),
      payment ? undefined : json(payload),
    )),
    verified.evidence && evidence(verified.evidence),
    element('h3', {}, 'Claims'),
    json(verified.claims),
  )
}

function evidence({ signedAt, wornSince, unlockedAt, confirmed, counter, approval, pairingEpoch }: Evidence): HTMLElement {
  return terms([
    ['Signed', time(signedAt)],
    ['Worn since', time(wornSince)],
    ['Unlocked', time(unlockedAt)],
    ['Confirmed by the wearer', confirmed ? 'yes' : 'no'],
    ['Approved by the phone', approval && `${time(approval.signedAt) ?? ''}, by ${visible(approval.methods.join(', '))}`],
    ['Signature counter', String(counter)],
    ['Pairing epoch', String(pairingEpoch)],
  ])
}

const time = (seconds?: number) => (seconds === undefined ? undefined : date(seconds) ?? String(seconds))

function payable(amount: string, currency: string, payee: { name: string; id: string }): HTMLElement {
  return element('p', { class: 'sum' },
    element('strong', {}, visible(`${amount} ${currency}`)), ' to ', element('strong', {}, visible(payee.name)), visible(` (${payee.id})`))
}

/** What the token, transaction data and status lists say, whether true or not. */
export function decoded(parts: Part[], transactionData: string[], lists: StatusListInfo[]): HTMLElement {
  return section('Decoded',
    element('p', {}, 'As it was written. Nothing here is verified.'),
    ...parts.flatMap(({ query, content }) => [
      query === undefined ? undefined : element('h3', {}, `Query ${visible(query)}`),
      ...(content instanceof BandpassError ? [element('p', { class: 'bad' }, code(content.code), ` ${sentence(content.message)}`)] : presentation(content)),
    ]),
    ...transactionData.map(asked),
    ...lists.map(({ uri, issuedAt, expires, ttl }) => block('Status list', terms([
      ['Published at', visible(uri)],
      ['Issued', time(issuedAt)],
      ['Expires', time(expires)],
      ['Fetch anew after', ttl === undefined ? undefined : `${ttl} s`],
    ]))),
  )
}

function presentation({ issuerJwt, disclosures, kbJwt, approval }: Inspection): HTMLElement[] {
  const digests = new Map(disclosures.map((one) => [one.digest, `= ${standsFor(one)}`]))
  return [
    block('Credential, signed by the issuer', ...jws(issuerJwt, digests)),
    block(`Disclosures: ${disclosures.length}`, ...disclosures.map((one) => element('div', { class: 'disclosure' },
      element('span', {}, label(one)),
      json('value' in one ? one.value : 'element' in one ? one.element : one.malformed, digests),
      element('span', { class: 'note' }, one.digest),
    ))),
    ...(kbJwt ? [block('Proof, signed by the holder', ...jws(short(kbJwt), digests))] : []),
    ...(approval ? [block('Approval, signed by the phone', ...jws(approval, digests))] : []),
  ]
}

/** Without the approval, which is shown by itself. */
function short({ header, payload }: DecodedJws): DecodedJws {
  const { approval } = payload
  return { header, payload: typeof approval === 'string' && approval.length > 40 ? { ...payload, approval: `${approval.slice(0, 40)}…` } : payload }
}

function label(disclosure: Disclosure): string {
  if ('value' in disclosure) return visible(typeof disclosure.name === 'string' ? disclosure.name : JSON.stringify(disclosure.name))
  return 'element' in disclosure ? 'element' : 'malformed'
}

/** What stands in the place of a digest. */
function standsFor(disclosure: Disclosure): string {
  if (!('element' in disclosure)) return label(disclosure)
  const text = visible(JSON.stringify(disclosure.element))
  return text.length > 40 ? `${text.slice(0, 40)}…` : text
}

function jws({ header, payload }: DecodedJws, digests: ReadonlyMap<string, string>): HTMLElement[] {
  return [element('h4', {}, 'Header'), json(header), element('h4', {}, 'Payload'), json(payload, digests)]
}

function block(title: string, ...children: (Node | string)[]): HTMLElement {
  const made = element('details', { class: 'block' }, element('summary', {}, element('h3', {}, title)), ...children)
  made.open = true
  return made
}

/** An entry of transaction data. */
function asked(entry: string): HTMLElement {
  let found: TransactionData
  try {
    found = decodeTransactionData(entry)
  } catch (error) {
    if (!(error instanceof BandpassError)) throw error
    return block('Transaction data', element('p', { class: 'bad' }, sentence(error.message)))
  }
  const { amount, currency, payee } = found.payload ?? {}
  const whom = typeof payee === 'object' && payee !== null && !Array.isArray(payee) ? payee : {}
  const isText = (value: Json | undefined) => typeof value === 'string'
  const isSum = (isText(amount) || typeof amount === 'number') && isText(currency) && isText(whom['name']) && isText(whom['id'])
  return block('Transaction data, as sent',
    ...(isSum ? [payable(String(amount), String(currency), { name: String(whom['name']), id: String(whom['id']) })] : []),
    json(found as { [name: string]: Json }))
}
