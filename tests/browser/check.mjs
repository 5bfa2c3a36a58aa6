// Opens a report in Chromium and says what is wrong with it; keeps pictures of it.
//
//     node tests/browser/check.mjs PAGE.html REPORT.json FOLDER
//
// BROWSER_HARNESS_DIR names the folder where package-lock.json is installed, CHROMIUM the browser. It looks at what a unit
// test can't see: what is asked of the network, what the console says, contrast, focus, widths, paper. Numbers of the page
// carry their place in the JSON (data-key), so every one of them is compared. Prints one line for each fault; without any
// it prints what was looked at, as JSON.
import { createRequire } from 'node:module';
import { mkdirSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';

const LEAST_CONTRAST = 4.5;
const LEAST_OUTLINE_PX = 2;
const WIDTHS = [360, 1280];
const SCHEMES = ['light', 'dark'];
const CHROMIUM_FLAGS = [
    '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking',
    '--disable-component-update', '--disable-sync',
];
// Each of these must be on the page of an app that has a release with numbers.
const MUST_BE_THERE = [
    'release.version', 'release.user_fraction', 'release.cycle.sessions.rate', 'release.cycle.sessions.lower',
    'release.cycle.sessions.upper', 'release.cycle.sessions.valid', 'release.cycle.sessions.crashed',
    'release.cycle.users.rate', 'release.last_day.sessions.rate', 'cost.cycle_bytes', 'cost.month_bytes',
];

const [page_path, json_path, folder] = process.argv.slice(2);
const require = createRequire(join(resolve(process.env.BROWSER_HARNESS_DIR), 'package.json'));
const { chromium } = require('playwright-core');

const faults = [];
const fault = (text) => faults.push(text);
const report = JSON.parse(readFileSync(json_path, 'utf8'));
const address = pathToFileURL(resolve(page_path)).href;
mkdirSync(folder, { recursive: true });

// What the page holds, by app and key.
function data() {
    const found = [];
    for (const section of document.querySelectorAll('[data-app]')) {
        for (const element of section.querySelectorAll('[data-key]')) {
            const value = element.hasAttribute('data-value') ? element.getAttribute('data-value') : null;
            found.push({ app: section.dataset.app, key: element.dataset.key, value, shown: element.textContent });
        }
    }
    return found;
}

function at(app, key) {
    return key.split('.').reduce((value, name) => (value === null || value === undefined ? null : value[name]), app) ?? null;
}

// Whether the words show the number: counts are grouped, rates are rounded toward worse.
function shows(shown, value) {
    const percent = /^([0-9.]+) %$/.exec(shown);
    if (typeof value !== 'number') return true;
    if (percent) {
        const clipped = Math.min(Math.max(value, 0), 1) * 100;
        return clipped - Number(percent[1]) > -1e-6 && clipped - Number(percent[1]) < 1e-3 + 1e-6;
    }
    if (/^[0-9,]+$/.test(shown)) return Number(shown.replaceAll(',', '')) === value;
    return /[0-9] ([KMGT]iB|B)$/.test(shown);
}

// Text from outside loses what is not seen, and its end where it is long.
function says(value, wanted) {
    const bare = (text) => text.replace(/[\p{C}\p{Z}\s]/gu, '');
    return value !== null && bare(wanted).startsWith(bare(value).replace(/…$/, ''));
}

function compare(found) {
    const apps = new Map(report.apps.map((app) => [app.app, app]));
    for (const { app, key, value, shown } of found) {
        const wanted = at(apps.get(app), key);
        const same = wanted === null ? value === null : typeof wanted === 'number' ? Number(value) === wanted : says(value, wanted);
        if (!same) fault(`${app}: ${key} is ${value} on the page and ${wanted} in the JSON`);
        if (wanted === null && shown !== 'not known') fault(`${app}: ${key} is not known, and the page says ${shown}`);
        if (wanted !== null && !shows(shown, wanted)) fault(`${app}: ${key} is ${wanted}, and the page says ${shown}`);
    }
    for (const app of report.apps) {
        const of_app = new Set(found.filter((datum) => datum.app === app.app).map((datum) => datum.key));
        const wanted = [...MUST_BE_THERE.filter((key) => at(app, key) !== null)];
        app.release?.crashes.forEach((_, index) => wanted.push(`release.crashes.${index}.title`, `release.crashes.${index}.users`, `release.crashes.${index}.events`));
        if (app.release?.fix) wanted.push('release.fix.then.sessions.rate', 'release.fix.now.sessions.rate');
        if (!app.release) wanted.splice(0);
        for (const key of wanted) if (!of_app.has(key)) fault(`${app.app}: ${key} is not on the page`);
    }
    if (found.length === 0) fault('the page holds no number');
}

// How the document is built.
function structure() {
    const wrong = [];
    const count = (selector) => document.querySelectorAll(selector).length;
    for (const one of ['h1', 'header.top', 'nav', 'main', 'footer']) if (count(one) !== 1) wrong.push(`${count(one)} of ${one}`);
    if (!document.documentElement.lang) wrong.push('no lang');
    if (count('script, iframe, object, embed, form, base') > 0) wrong.push('something that runs or sends');
    for (const table of document.querySelectorAll('table')) {
        if (!table.caption || !table.caption.textContent.trim()) wrong.push('a table without a caption');
        for (const head of table.querySelectorAll('th')) if (!head.scope) wrong.push(`a heading without a scope: ${head.textContent}`);
        for (const row of table.tBodies[0].rows) if (row.querySelectorAll('th[scope=row]').length !== 1) wrong.push('a row without a heading');
    }
    for (const svg of document.querySelectorAll('svg')) {
        if (svg.getAttribute('aria-hidden') === 'true') continue;
        const named = ['aria-labelledby', 'aria-describedby'].every((name) => document.getElementById(svg.getAttribute(name))?.textContent.length > 20);
        if (svg.getAttribute('role') !== 'img' || !named) wrong.push('a drawing without a name or a description');
    }
    const ids = [...document.querySelectorAll('[id]')].map((element) => element.id);
    if (new Set(ids).size !== ids.length) wrong.push('an id twice');
    for (const link of document.querySelectorAll('a')) {
        const href = link.getAttribute('href');
        if (href.startsWith('#') ? !document.getElementById(href.slice(1)) : !href.startsWith('https://')) wrong.push(`a link to ${href}`);
    }
    for (const element of document.querySelectorAll('*')) {
        for (const { name } of element.attributes) if (name.startsWith('on')) wrong.push(`a handler ${name}`);
    }
    return wrong;
}

// Contrast of every text that is seen, worst first. SVG text is compared with the card and with every area behind it.
function contrasts() {
    const parse = (color) => {
        const numbers = color.match(/[0-9.]+/g).map(Number);
        return { r: numbers[0], g: numbers[1], b: numbers[2], a: numbers[3] ?? 1 };
    };
    const over = (top, below) => ({
        r: top.r * top.a + below.r * (1 - top.a), g: top.g * top.a + below.g * (1 - top.a), b: top.b * top.a + below.b * (1 - top.a), a: 1,
    });
    const light = ({ r, g, b }) => {
        const [x, y, z] = [r, g, b].map((c) => ((c /= 255), c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4));
        return 0.2126 * x + 0.7152 * y + 0.0722 * z;
    };
    const ratio = (one, other) => {
        const [high, low] = [light(one), light(other)].sort((a, b) => b - a);
        return (high + 0.05) / (low + 0.05);
    };
    const ground = (element) => {
        const layers = [];
        for (let at = element; at; at = at.parentElement) layers.push(parse(getComputedStyle(at).backgroundColor));
        const dark = matchMedia('screen and (prefers-color-scheme: dark)').matches;
        return layers.reverse().reduce((below, top) => over(top, below), dark ? { r: 18, g: 18, b: 18, a: 1 } : { r: 255, g: 255, b: 255, a: 1 });
    };
    const behind = (text) => {
        const box = text.getBoundingClientRect();
        const areas = [...text.ownerSVGElement.querySelectorAll('polygon, rect')].filter((area) => {
            const other = area.getBoundingClientRect();
            return other.left < box.right && other.right > box.left && other.top < box.bottom && other.bottom > box.top;
        });
        return areas.map((area) => parse(getComputedStyle(area).fill));
    };
    const found = [];
    const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
    while (walker.nextNode()) {
        const element = walker.currentNode.parentElement;
        const words = walker.currentNode.textContent.trim();
        if (!words || !element.checkVisibility() || ['TITLE', 'DESC', 'title', 'desc'].includes(element.tagName)) continue;
        const is_drawn = element instanceof SVGElement;
        const color = parse(is_drawn ? getComputedStyle(element).fill : getComputedStyle(element).color);
        const grounds = [ground(element), ...(is_drawn ? behind(element) : [])];
        found.push({ words: words.slice(0, 60), ratio: Math.min(...grounds.map((below) => ratio(over(color, below), below))) });
    }
    return found.sort((a, b) => a.ratio - b.ratio);
}

// Texts that are seen, and how many drawings.
function seen() {
    const texts = [];
    const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
    while (walker.nextNode()) {
        const element = walker.currentNode.parentElement;
        if (element instanceof SVGElement || !walker.currentNode.textContent.trim()) continue;
        const range = document.createRange();
        range.selectNodeContents(walker.currentNode);
        const box = range.getBoundingClientRect();
        if (element.checkVisibility({ visibilityProperty: true, opacityProperty: true }) && box.width > 0 && box.height > 0) texts.push(walker.currentNode.textContent.trim());
    }
    const drawings = [...document.querySelectorAll('svg.drawing')].filter((svg) => svg.getBoundingClientRect().width > 100);
    return { texts, drawings: drawings.length };
}

function focused() {
    const element = document.activeElement;
    if (!element || element === document.body) return null;
    const style = getComputedStyle(element);
    const box = element.getBoundingClientRect();
    return {
        index: [...document.querySelectorAll('a[href]')].indexOf(element),
        outline: style.outlineStyle === 'none' ? 0 : parseFloat(style.outlineWidth),
        inside: box.left >= 0 && box.right <= innerWidth + 1 && box.top >= 0 && box.bottom <= innerHeight + 1,
        words: element.textContent.slice(0, 60),
    };
}

// Every link is reached by the Tab key, and shows it.
async function walk(page, what) {
    const links = await page.locator('a[href]').count();
    const reached = new Set();
    for (let press = 0; press < links + 5; press += 1) {
        await page.keyboard.press('Tab');
        await page.waitForTimeout(20);
        const now = await page.evaluate(focused);
        if (!now) break;
        reached.add(now.index);
        if (now.outline < LEAST_OUTLINE_PX) fault(`${what}: the focus on "${now.words}" is not seen`);
        if (!now.inside) fault(`${what}: "${now.words}" has the focus outside of the window`);
    }
    if (reached.size !== links) fault(`${what}: Tab reaches ${reached.size} of ${links} links`);
    return reached.size;
}

async function look(browser, width, scheme) {
    const what = `${width} px, ${scheme}`;
    const context = await browser.newContext({
        viewport: { width, height: 800 }, colorScheme: scheme, deviceScaleFactor: width < 800 ? 2 : 1, reducedMotion: 'reduce',
    });
    const page = await context.newPage();
    page.on('console', (message) => { if (['error', 'warning'].includes(message.type())) fault(`${what}: the console says ${message.text()}`); });
    page.on('pageerror', (error) => fault(`${what}: ${error.message}`));
    page.on('dialog', (dialog) => { fault(`${what}: a dialog opens: ${dialog.message()}`); dialog.dismiss(); });
    page.on('request', (request) => { if (request.url() !== address && !request.url().startsWith('data:')) fault(`${what}: asks for ${request.url()}`); });
    await page.goto(address);
    compare(await page.evaluate(data));
    (await page.evaluate(structure)).forEach((wrong) => fault(`${what}: ${wrong}`));
    // Laid out at once, so that what is below the window is measured too.
    await page.addStyleTag({ content: '.app { content-visibility: visible !important; }' }).catch(() => fault(`${what}: no style can be added`));
    const wide = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
    if (wide > 0) fault(`${what}: the page is ${wide} px wider than the window`);
    const worst = await page.evaluate(contrasts);
    worst.filter((text) => text.ratio < LEAST_CONTRAST).forEach((text) => fault(`${what}: contrast ${text.ratio.toFixed(2)} of "${text.words}"`));
    const on_screen = await page.evaluate(seen);
    const drawings = await page.evaluate(() => document.querySelectorAll('figure').length);
    if (on_screen.drawings !== drawings) fault(`${what}: ${on_screen.drawings} drawings are seen of ${drawings}`);
    await page.screenshot({ path: join(folder, `report-${width}-${scheme}.png`), fullPage: true });
    const ground = await page.evaluate(() => getComputedStyle(document.body).backgroundColor);
    const reached = await walk(page, what);
    if (width > 800) await print(page, on_screen, drawings, scheme);
    await context.close();
    return { what, ground, texts: worst.length, least_contrast: Number(worst[0]?.ratio.toFixed(2)), links: reached };
}

// On paper there is everything that the screen shows, black on white whatever the scheme.
async function print(page, on_screen, drawings, scheme) {
    await page.emulateMedia({ media: 'print' });
    const printed = await page.evaluate(seen);
    const left = [...printed.texts];
    for (const text of on_screen.texts) {
        const index = left.indexOf(text);
        if (index < 0) fault(`print, ${scheme}: "${text}" is missing`);
        else left.splice(index, 1);
    }
    if (printed.drawings !== drawings) fault(`print, ${scheme}: ${printed.drawings} drawings of ${drawings}`);
    const worst = await page.evaluate(contrasts);
    worst.filter((text) => text.ratio < LEAST_CONTRAST).forEach((text) => fault(`print, ${scheme}: contrast ${text.ratio.toFixed(2)} of "${text.words}"`));
    const ground = await page.evaluate(() => getComputedStyle(document.body).backgroundColor);
    if (ground !== 'rgb(255, 255, 255)') fault(`print, ${scheme}: the paper is ${ground}`);
    await page.pdf({ path: join(folder, `report-${scheme}.pdf`), format: 'A4', printBackground: true });
}

const browser = await chromium.launch({ executablePath: process.env.CHROMIUM || '/usr/bin/chromium', args: CHROMIUM_FLAGS });
const looked = [];
try {
    for (const scheme of SCHEMES) for (const width of WIDTHS) looked.push(await look(browser, width, scheme));
} finally {
    await browser.close();
}
if (new Set(looked.map((one) => one.ground)).size !== SCHEMES.length) fault('light and dark look the same');
if (faults.length > 0) {
    process.stderr.write([...new Set(faults)].map((text) => `${text}\n`).join(''));
    process.exit(1);
}
process.stdout.write(`${JSON.stringify(looked)}\n`);
