// A look at a page: by axe, for people with disabilities, and a picture for people who want to see it.
import assert from 'node:assert/strict'
import { mkdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'

import { TARGET } from './help.mjs'

const pictures = join(TARGET, 'pictures')
const axe = await readFile(new URL('../node_modules/axe-core/axe.min.js', import.meta.url), 'utf8')
await mkdir(pictures, { recursive: true })

/** Nothing serious is wrong, in light and dark, and nothing is wider than the page. */
export async function look(page, name) {
  for (const colorScheme of ['light', 'dark']) {
    await page.emulateMedia({ colorScheme })
    await page.screenshot({ path: join(pictures, `checkout-${name}-${colorScheme}.png`), fullPage: true })
    // By the debugger, which the page's policy does not bind.
    await page.evaluate(axe)
    const { violations } = await page.evaluate(() => globalThis.axe.run(document, { resultTypes: ['violations'] }))
    const bad = violations.filter(({ impact }) => impact === 'serious' || impact === 'critical')
    assert.deepEqual(bad.map(({ id, nodes }) => [id, nodes.map(({ html, failureSummary }) => html + failureSummary)]), [], `${name}, ${colorScheme}`)
  }
  await page.emulateMedia({ colorScheme: 'light' })
  assert.equal(await page.evaluate(() => document.documentElement.scrollWidth > innerWidth), false, `${name} overflows`)
}
