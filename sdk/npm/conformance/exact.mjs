// Vectors as they were written, though JavaScript would round their numbers.

/** Numbers that JavaScript would round, as strings. */
const marked = (json) => json.replace(/(?<=[:,[]\s*)(\d{16,})(?=\s*[,}\]])/g, '"#$1"')

/** The vectors of a JSON array; `dcql` is the text of what was sent. */
export function exact(json) {
  const places = JSON.parse(marked(json))
  return JSON.parse(json).map((vector, place) => {
    const { dcql } = places[place].expected
    if (dcql === undefined) return vector
    return { ...vector, expected: { ...vector.expected, dcql: JSON.stringify(dcql).replaceAll(/"#(\d+)"/g, '$1') } }
  })
}
