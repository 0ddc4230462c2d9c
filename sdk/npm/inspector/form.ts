import type { Challenge, ClaimPath, Judgement } from '@bandpass/verifier/inline'

import { date, element, part, visible } from './dom.js'

/** What a field can't be read as. */
export class Mistake extends Error {
  constructor(
    readonly field: string,
    message: string,
  ) {
    super(message)
  }
}

/** Fields, each with its id. */
const FIELDS = [
  ...['token', 'trust', 'nonce', 'audience', 'now', 'transactionData', 'statusLists', 'dcql', 'query', 'methods', 'claims'],
  ...['sameHolderAs', 'ageAtLeast', 'unlockedWithin', 'distanceMm', 'maxAge', 'statusMaxAge', 'clockTolerance'],
] as const

const DEMANDS = { holder: 'Proof of the holder', status: 'Status', approval: 'Approval by the phone', worn: 'Worn', unlocked: 'Unlocked', confirmed: 'Confirmed' }

type FieldId = (typeof FIELDS)[number]

type Field = HTMLInputElement | HTMLTextAreaElement | HTMLSelectElement

function field(id: string): Field {
  const found = document.getElementById(id)
  if (found instanceof HTMLInputElement || found instanceof HTMLTextAreaElement || found instanceof HTMLSelectElement) return found
  throw new TypeError(`the page has no field ${id}`)
}

/** Makes what the page does not have yet: the choices, and behind each field a place for what is wrong with it. */
export function complete(): void {
  for (const [id, label] of Object.entries(DEMANDS)) {
    const choices = [['', 'by profile'], ['required', 'required'], ['not-required', 'not required']] as const
    const select = element('select', { id }, ...choices.map(([value, text]) => element('option', { value }, text)))
    part('demands', HTMLElement).append(element('div', { class: 'field' }, element('label', { for: id }, label), select))
  }
  for (const id of [...FIELDS, ...Object.keys(DEMANDS)]) {
    const found = field(id)
    const described = [`${id}-wrong`, `${id}-hint`].filter((name) => name.endsWith('-wrong') || document.getElementById(name))
    found.setAttribute('aria-describedby', described.join(' '))
    found.closest('.field')?.append(element('p', { id: `${id}-wrong`, class: 'wrong' }))
  }
}

/** Says at a field what is wrong with it; at no other anything. */
export function mark(mistakes: Mistake[]): void {
  for (const id of [...FIELDS, ...Object.keys(DEMANDS)]) {
    const wrong = mistakes.filter((mistake) => mistake.field === id).map(({ message }) => message).join(' ')
    const place = part(`${id}-wrong`, HTMLElement)
    if (place.textContent !== wrong) place.textContent = wrong
    if (wrong) field(id).setAttribute('aria-invalid', 'true')
    else field(id).removeAttribute('aria-invalid')
    // What is wrong must be seen.
    const hiding = field(id).closest('details')
    if (wrong && hiding) hiding.open = true
  }
}

export const isField = (id: string) => (FIELDS as readonly string[]).includes(id) || id in DEMANDS

const written = (id: FieldId) => field(id).value.trim()
const words = (id: FieldId) => written(id).split(/\s+/).filter((word) => word !== '')
const lines = (id: FieldId) => written(id).split('\n').map((line) => line.trim()).filter((line) => line !== '')

/** Says in an empty field what is taken instead. */
export function suggest(suggestions: { nonce?: string; audience?: string; now?: number; query?: string }): void {
  const { now, ...texts } = suggestions
  const taken = { ...texts, now: now === undefined ? undefined : date(now) }
  for (const id of ['nonce', 'audience', 'now', 'query'] as const) {
    const text = taken[id]
    field(id).setAttribute('placeholder', text === undefined ? '' : id === 'query' ? visible(text) : `of the proof: ${visible(text)}`)
  }
}

/** What the form says. */
export interface Input {
  token: string
  trust: string
  statusLists: (string | Uint8Array)[]
  /** What the token is judged by, as far as it was said. */
  expected: Partial<Challenge & Judgement>
  mistakes: Mistake[]
}

export function input(): Input {
  const mistakes: Mistake[] = []
  /** What is written in a field, if anything is, and if it can be read. */
  const read = <T>(id: FieldId, reader: (id: FieldId) => T): T | undefined => {
    try {
      return written(id) ? reader(id) : undefined
    } catch (error) {
      if (!(error instanceof Mistake)) throw error
      mistakes.push(error)
      return undefined
    }
  }
  const require = present({
    ...Object.fromEntries(Object.keys(DEMANDS).map((id) => [id, field(id).value || undefined])),
    ageAtLeast: read('ageAtLeast', whole),
    unlockedWithin: read('unlockedWithin', whole),
    distanceMm: read('distanceMm', whole),
    methods: read('methods', words),
    sameHolderAs: read('sameHolderAs', written),
    claims: read('claims', paths),
  })
  const expected = present({
    nonce: read('nonce', written),
    audience: read('audience', words),
    now: read('now', time),
    dcql: read('dcql', written),
    query: read('query', written),
    transactionData: read('transactionData', lines),
    maxAge: read('maxAge', whole),
    statusMaxAge: read('statusMaxAge', whole),
    clockTolerance: read('clockTolerance', whole),
    require,
  })
  const statusLists = read('statusLists', statusListTokens) ?? []
  return { token: written('token'), trust: written('trust'), statusLists, expected, mistakes }
}

function present<T extends object>(members: T): { [name in keyof T]?: Exclude<T[name], undefined> } {
  return Object.fromEntries(Object.entries(members).filter(([, value]) => value !== undefined)) as ReturnType<typeof present<T>>
}

/** One with a dot is a JWT, anything else base64url of a CWT. */
function statusListTokens(id: FieldId): (string | Uint8Array)[] {
  return lines(id).map((line, place) => {
    if (line.includes('.')) return line
    if (!/^[\w-]+$/.test(line)) throw new Mistake(id, `Line ${place + 1} is neither a JWT nor base64url.`)
    try {
      return Uint8Array.from(atob(line.replaceAll('-', '+').replaceAll('_', '/')), (character) => character.charCodeAt(0))
    } catch {
      throw new Mistake(id, `Line ${place + 1} is not base64url.`)
    }
  })
}

function time(id: FieldId): Date {
  const text = written(id)
  const [, day, clock = '00:00'] = /^(\d{4}-\d\d-\d\d)(?:[ T](\d\d:\d\d(?::\d\d)?))?(?: ?UTC|Z)?$/.exec(text) ?? []
  const found = new Date(/^\d+$/.test(text) ? Number(text) * 1000 : day === undefined ? NaN : `${day}T${clock}Z`)
  if (Number.isNaN(found.getTime())) throw new Mistake(id, 'This is no time.')
  return found
}

function whole(id: FieldId): number {
  const text = written(id)
  if (!/^\d{1,15}$/.test(text)) throw new Mistake(id, 'This is no whole number.')
  return Number(text)
}

function json(id: FieldId, text: string): unknown {
  try {
    return JSON.parse(text)
  } catch (cause) {
    throw new Mistake(id, `This is not JSON: ${visible(cause instanceof Error ? cause.message : '')}.`)
  }
}

function paths(id: FieldId): ClaimPath[] {
  return lines(id).map((line) => {
    const found = json(id, line)
    if (!Array.isArray(found)) throw new Mistake(id, 'A path is a JSON array.')
    return found as ClaimPath
  })
}

/** Fills the form in with a vector. */
export function fill({ trust, status_lists = [], vp_token, expected }: Vector): void {
  part('form', HTMLFormElement).reset()
  const values = {
    token: vp_token,
    trust: JSON.stringify(trust, undefined, 2),
    nonce: expected.nonce,
    audience: expected.audience.join(' '),
    now: date(expected.now) ?? '',
    transactionData: (expected.transaction_data ?? []).join('\n'),
    statusLists: status_lists.join('\n'),
  }
  for (const [id, value] of Object.entries(values)) field(id).value = value
}

/** Fills in the time of this moment. */
export function useNow(): void {
  field('now').value = date(Math.floor(Date.now() / 1000)) ?? ''
}
