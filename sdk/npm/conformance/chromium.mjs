// The vectors in Chromium: node chromium.mjs ENTRY.
import { readFile } from 'node:fs/promises'
import { open, serve } from './browser.mjs'
import { print, vectors } from './lines.mjs'

const entry = process.argv[2]
const folders = { package: new URL('../../../target/dist/npm/', import.meta.url), conformance: new URL('./', import.meta.url) }

const site = await serve((path) => {
  const [, folder, ...rest] = path.split('/')
  return folder in folders ? readFile(new URL(rest.join('/'), folders[folder])) : undefined
})
const browser = await open()
try {
  const page = await browser.newPage()
  await page.goto(site.url)
  const found = await page.evaluate(
    async ([entry, vectors]) => {
      const { answers } = await import('/conformance/answer.mjs')
      return answers(await import(`/package/${entry}`), vectors)
    },
    [entry, await vectors()],
  )
  print(`${entry}, Chromium ${browser.version()}`, found)
} finally {
  await browser.close()
  site.close()
}
