// Everything that is shown goes through `element`: text stays text, whatever a token says.

type Child = Node | string | undefined

export function element<Name extends keyof HTMLElementTagNameMap>(
  name: Name,
  attributes: { [attribute: string]: string },
  ...children: Child[]
): HTMLElementTagNameMap[Name] {
  const made = document.createElement(name)
  for (const [attribute, value] of Object.entries(attributes)) made.setAttribute(attribute, value)
  made.append(...children.filter((child) => child !== undefined))
  return made
}

/** A part of the page itself. */
export function part<Kind extends HTMLElement>(id: string, kind: new () => Kind): Kind {
  const found = document.getElementById(id)
  if (!(found instanceof kind)) throw new TypeError(`the page has no ${id}`)
  return found
}

/** Text in which nothing hides: what can't be seen, or turns text round, becomes `\u202e`. */
export function visible(text: string): string {
  return text.replace(/[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/gu, (character) => {
    const point = (character.codePointAt(0) ?? 0).toString(16)
    return point.length > 4 ? `\\u{${point}}` : `\\u${point.padStart(4, '0')}`
  })
}

/** Seconds since 1970 for people, where there is such a date. */
export function date(seconds: number): string | undefined {
  const found = new Date(seconds * 1000)
  if (Number.isNaN(found.getTime())) return undefined
  return `${found.toISOString().slice(0, -5).replace('T', ' ')} UTC`
}

/** Pairs of a term and what it is; those that are not there are left out. */
export function terms(pairs: [string, Child][]): HTMLElement {
  const groups = pairs.flatMap(([term, what]) =>
    what === undefined ? [] : [element('div', {}, element('dt', {}, term), element('dd', {}, what))],
  )
  return element('dl', {}, ...groups)
}

export const code = (text: string) => element('code', {}, visible(text))

/** A heading and what it is about, as a region of its own. */
export function section(title: string, ...children: Child[]): HTMLElement {
  const id = title.toLowerCase().replaceAll(/[^a-z]+/g, '-')
  return element('section', { 'aria-labelledby': id }, element('h2', { id }, title), ...children)
}
