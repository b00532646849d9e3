import { createHash } from 'node:crypto'

/** The page's only style sheet; the policy of the page lets no other in, by its digest. */
export const style = `
:root { color-scheme: light dark;
  --ink: light-dark(#1c1f23, #e7e9ec); --dim: light-dark(#5b636d, #9aa3ad);
  --paper: light-dark(#fbfbfa, #14171a); --card: light-dark(#ffffff, #1c2024);
  --line: light-dark(#dfe2e6, #32383f); --link: light-dark(#0b57a4, #8ab8ff);
  --good: light-dark(#1a6b3c, #6fd196); --warn: light-dark(#8a5300, #f0b95a);
  --bad: light-dark(#a4202b, #ff8f8f); --calm: light-dark(#4a4f9c, #b0b5ff); }
* { box-sizing: border-box }
body { margin: 0; background: var(--paper); color: var(--ink);
  font: 15px/1.5 system-ui, sans-serif; font-variant-numeric: tabular-nums }
header, main, footer { max-width: 76rem; margin: 0 auto; padding: 0 1.25rem }
header { padding-top: 1.75rem; display: flex; flex-wrap: wrap; gap: .25rem 1.5rem;
  align-items: baseline; justify-content: space-between }
h1 { font-size: 1.35rem; margin: 0; letter-spacing: -.01em }
h2 { font-size: 1rem; margin: 2.25rem 0 .6rem }
p { margin: .3rem 0 } a { color: var(--link) }
code { font: 13px/1.4 ui-monospace, monospace; overflow-wrap: anywhere }
.dim { color: var(--dim) } .small { font-size: 13px }
.cards { display: grid; grid-template-columns: repeat(auto-fit, minmax(15rem, 1fr)); gap: .9rem;
  margin-top: 1.25rem }
.card { background: var(--card); border: 1px solid var(--line); border-radius: .6rem;
  padding: .9rem 1rem }
.card h2 { margin: 0; font-size: 13px; font-weight: 500; color: var(--dim) }
.card .figure { font-size: 1.5rem; line-height: 1.35; font-weight: 600; margin: .1rem 0 }
.scroll { overflow-x: auto; background: var(--card); border: 1px solid var(--line);
  border-radius: .6rem } .scroll:focus-visible { outline: 2px solid var(--link) }
table { border-collapse: collapse; width: 100% }
th, td { text-align: left; padding: .5rem .85rem; vertical-align: top }
th { font-size: 13px; font-weight: 500; color: var(--dim); white-space: nowrap;
  border-bottom: 1px solid var(--line) }
tbody tr + tr td { border-top: 1px solid var(--line) }
td.n { text-align: right } .nowrap { white-space: nowrap }
.tag { display: inline-block; font-size: 13px; font-weight: 600; white-space: nowrap }
.tag::before { content: ''; display: inline-block; width: .55em; height: .55em; margin-right: .45em;
  border-radius: 50%; background: currentColor }
.good { color: var(--good) } .warn { color: var(--warn) } .bad { color: var(--bad) }
.calm { color: var(--calm) }
td code { white-space: nowrap }
meter { width: 9rem; height: .6rem }
meter::-webkit-meter-optimum-value { background: var(--dim) }
meter::-moz-meter-bar { background: var(--dim) }
footer { margin-top: 2.5rem; padding-bottom: 2rem; border-top: 1px solid var(--line);
  padding-top: .9rem }
`

export const styleDigest = `'sha256-${createHash('sha256').update(style).digest('base64')}'`
