import type { Json } from '@bandpass/verifier/inline'

import { date, element, visible } from './dom.js'

/** Members that are times, seconds since 1970. */
const TIMES = new Set(['iat', 'exp', 'nbf', 'updated_at', 'worn_since', 'unlocked_at', 'not_before', 'not_after', 'starts_at'])

/** JSON for people. `digests`: what each digest of a disclosure stands for. */
export function json(value: Json, digests: ReadonlyMap<string, string> = new Map()): HTMLElement {
  const shown = element('pre', {})
  write(shown, value, '', '', digests)
  return shown
}

/** What is shorter stands on one line. */
const SHORT = 64

function write(to: HTMLElement, value: Json, name: string, indent: string, digests: ReadonlyMap<string, string>) {
  if (typeof value !== 'object' || value === null) return to.append(visible(JSON.stringify(value)))
  const isArray = Array.isArray(value)
  const entries = isArray ? value.map((item) => [name, item] as const) : Object.entries(value)
  const [open, close] = isArray ? ['[', ']'] : ['{', '}']
  const text = (item: Json) => visible(JSON.stringify(item))
  const brief = entries.map(([member, item]) => (isArray ? text(item) : `${text(member)}: ${text(item)}`)).join(', ')
  if (brief.length <= SHORT && !entries.some(([member, item]) => typeof item === 'object' || meaning(member, item, digests)))
    return to.append(open, brief, close)
  const deeper = `${indent}  `
  to.append(open, '\n')
  entries.forEach(([member, item], place) => {
    to.append(deeper, isArray ? '' : `${visible(JSON.stringify(member))}: `)
    write(to, item, member, deeper, digests)
    if (place < entries.length - 1) to.append(',')
    const note = meaning(member, item, digests)
    if (note !== undefined) to.append('  ', element('span', { class: 'note' }, note))
    to.append('\n')
  })
  to.append(indent, close)
}

function meaning(name: string, value: Json, digests: ReadonlyMap<string, string>): string | undefined {
  if (typeof value === 'number' && TIMES.has(name)) return date(value)
  if (typeof value === 'string' && (name === '_sd' || name === '...')) return digests.get(value) ?? 'not disclosed'
  return undefined
}
