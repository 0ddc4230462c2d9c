// Looks at the operators' page in Chromium: node dashboard.mjs URL KEY FOLDER. Prints what a reader finds there (JSON), and
// leaves pictures in the folder.
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { chromium } from "playwright-core";

const [url, key, folder] = process.argv.slice(2);
const profile = await mkdtemp(join(tmpdir(), "bandpass-chromium-"));
const browser = await chromium.launchPersistentContext(profile, {
  executablePath: "/usr/bin/chromium",
  args: ["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync"],
  viewport: { width: 1200, height: 1000 },
});
try {
  const page = await browser.newPage();
  const [troubles, elsewhere] = [[], []];
  page.on("console", (message) => message.type() === "error" && troubles.push(message.text()));
  page.on("pageerror", (error) => troubles.push(String(error)));
  page.on("request", (request) => request.url().startsWith(url) || request.url().startsWith("data:") || elsewhere.push(request.url()));
  await page.goto(url);

  // By keyboard alone.
  await page.keyboard.press("Tab");
  await page.keyboard.type("bandpass_wrong");
  await page.keyboard.press("Enter");
  const refusal = await page.getByRole("alert").filter({ hasText: /./ }).textContent();
  troubles.length = 0; // The browser itself reports the 401.
  await page.keyboard.type(key);
  await page.keyboard.press("Enter");
  await page.getByRole("heading", { name: "Newest decisions of this host" }).waitFor();

  const rows = async (name) => {
    const table = page.getByRole("region", { name }).getByRole("row");
    return (await table.allInnerTexts()).slice(1).map((row) => row.split("\t"));
  };
  const answers = Object.fromEntries((await page.locator("dl div").allInnerTexts()).map((text) => text.split("\n")));
  const seen = {
    refusal, answers,
    asksForKey: await page.getByLabel("Operator key").isVisible(),
    state: await page.getByRole("status").textContent(),
    recent: await rows("Newest decisions of this host"),
    plugins: await rows("Plugins"),
    sources: await rows("Trust and status"),
  };
  await page.screenshot({ path: join(folder, "dashboard.png"), fullPage: true });
  await page.emulateMedia({ colorScheme: "dark" });
  await page.screenshot({ path: join(folder, "dashboard-dark.png"), fullPage: true });
  await page.emulateMedia({ colorScheme: "light" });
  await page.setViewportSize({ width: 390, height: 800 });
  await page.screenshot({ path: join(folder, "dashboard-narrow.png"), fullPage: true });
  const overflows = await page.evaluate(() => document.documentElement.scrollWidth > innerWidth);

  await page.getByRole("button", { name: "Forget the key" }).press("Enter");
  const left = await page.getByLabel("Operator key").evaluate((input) => input === document.activeElement && input.value === "");
  const kept = await page.evaluate(() => sessionStorage.length + localStorage.length);
  console.log(JSON.stringify({ ...seen, overflows, left, kept, troubles, elsewhere }));
} finally {
  await browser.close();
  await rm(profile, { recursive: true, force: true });
}
