import { html, Html } from './html.ts'
import { style } from './status-style.ts'
import type { ListedDecision, RecentVerdict, StatusView } from './status-view.ts'

const tones: Readonly<Record<string, string>> = {
  allow: 'good',
  warn: 'warn',
  redact: 'calm',
  hold: 'calm',
  block: 'bad',
  approved: 'good',
  conditional: 'good',
  tolerated: 'warn',
  'under-review': 'calm',
  prohibited: 'bad',
  retired: 'dim',
}

/** The status page: HTML alone, nothing to run, nothing from elsewhere. */
export function statusPage(view: StatusView, everySeconds: number): string {
  return page(
    'Postern status',
    html`<header>
        <h1>Postern</h1>
        <p class="dim small">
          Log <code>${view.origin}</code> · as of <time>${instant(view.nowMs)}</time> ·
          ${
            everySeconds > 0
              ? html`<a href="./">stop refreshing</a>`
              : html`<a href="./">refresh</a> · <a href="./?every=10">every 10 s</a>`
          }
        </p>
      </header>
      <main>
        ${view.complaint === null ? null : html`<p role="alert" class="bad">${view.complaint}</p>`}
        <div class="cards">
          ${gatesCard(view)} ${bundleCard(view)} ${logCard(view)} ${storeCard(view)}
        </div>
        ${counts(view)} ${recent(view)} ${approvedList(view.decisions)}
      </main>
      <footer class="dim small">
        People are pseudonyms that change each month. Times are UTC. The log can be checked without
        trusting this page:
        <code>postern log verify</code>.
      </footer>`,
    everySeconds,
  )
}

/** A page of one sentence, for whoever came without a valid link. */
export function wordsPage(title: string, words: string, next: string | null = null): string {
  return page(
    title,
    html`<header><h1>${title}</h1></header>
      <main>
        <p>${words}</p>
        ${next === null ? null : html`<p><a href="${next}">Open the status page</a></p>`}
      </main>`,
    0,
    next,
  )
}

function page(title: string, body: Html, everySeconds: number, next: string | null = null): string {
  const refresh =
    next === null
      ? everySeconds > 0
        ? html`<meta http-equiv="refresh" content="${everySeconds}" />`
        : null
      : html`<meta http-equiv="refresh" content="0; url=${next}" />`
  return html`<!doctype html>
    <html lang="en">
      <head>
        <meta charset="utf-8" />
        <meta name="viewport" content="width=device-width, initial-scale=1" />
        ${refresh}
        <title>${title}</title>
        <style>
          ${new Html(style)}
        </style>
      </head>
      <body>
        ${body}
      </body>
    </html>`.text
}

function card(title: string, figure: Html, ...lines: readonly Html[]): Html {
  return html`<section class="card">
    <h2>${title}</h2>
    <p class="figure">${figure}</p>
    ${lines.map((line) => html`<p class="small dim">${line}</p>`)}
  </section>`
}

function gatesCard(view: StatusView): Html {
  const connected = view.gates.filter((gate) => gate.connectedSinceMs !== null)
  const behind = connected.filter((gate) => gate.bundleCounter < (view.bundle?.counter ?? 0))
  const lines = view.gates.slice(0, 6).map((gate) => {
    const since = gate.connectedSinceMs
    return html`${tag(since === null ? 'away' : 'here', since === null ? 'warn' : 'good')}
      <code>${gate.node}</code>
      ${
        since === null
          ? html`heard ${age(view.nowMs - gate.lastHeardMs)} ago`
          : html`bundle ${gate.bundleCounter}, since ${age(view.nowMs - since)}`
      }`
  })
  const figure =
    connected.length === 0 ? tag('no gate connected', 'warn') : html`${connected.length} connected`
  return card(
    'Gates',
    figure,
    ...lines,
    ...(behind.length > 0 ? [html`${behind.length} without the newest bundle`] : []),
  )
}

function bundleCard(view: StatusView): Html {
  const { bundle, nowMs } = view
  if (bundle === null) {
    return card(
      'Bundle',
      tag('none yet', 'bad'),
      html`<code>postern register apply</code> makes it`,
    )
  }
  const left = bundle.validUntilMs - nowMs
  return card(
    'Bundle',
    html`№ ${bundle.counter}`,
    html`issued ${age(nowMs - bundle.issuedAtMs)} ago`,
    left > 0
      ? html`valid for ${age(left)} more, until ${instant(bundle.validUntilMs)}`
      : tag(`expired ${age(-left)} ago: gates tighten`, 'bad'),
  )
}

function logCard(view: StatusView): Html {
  const { log } = view
  if (log === null) return card('Log', tag('no checkpoint yet', 'warn'))
  return card(
    'Log',
    html`${log.size} ${log.size === 1 ? 'entry' : 'entries'}`,
    html`root <code>${log.root.slice(0, 16)}…</code>`,
    log.witnesses.length > 0
      ? html`${log.witnesses.length} of ${log.witnessesConfigured} witnesses:
        ${log.witnesses.join(', ')}`
      : html`no witness: the operator could show two histories`,
  )
}

function storeCard(view: StatusView): Html {
  const { state, lag } = view.store
  const words: Readonly<Record<string, Html>> = {
    ready: html`${lag <= 0 ? 'up to date' : html`${lag} entries behind`}`,
    resting: html`resting`,
    starting: html`starting`,
    failed: tag('down', 'warn'),
  }
  return card(
    'Projections',
    words[state] ?? html`${state}`,
    html`rebuilt from the log at any time; no verdict depends on them`,
    ...(state === 'failed' ? [html`<code>postern store rebuild</code>`] : []),
  )
}

function counts(view: StatusView): Html {
  const { rows, from } = view.counts
  const total = rows.reduce((sum, row) => sum + row.n, 0)
  const where = from === 'store' ? 'all entries' : `the last ${total} verdicts`
  return html`<h2 id="counts">Verdicts <span class="dim small">of ${where}</span></h2>
    ${
      rows.length === 0
        ? html`<p class="dim">No verdict yet.</p>`
        : table(
            'counts',
            ['Verdict', 'Number', 'Share'],
            rows.map(
              (row) =>
                html`<tr>
                  <td>${tag(row.verdict, tones[row.verdict] ?? 'dim')}</td>
                  <td>${row.n}</td>
                  <td>
                    <meter min="0" max="${total}" value="${row.n}" aria-label="share">
                      ${row.n}
                    </meter>
                    <span class="small dim">${Math.round((100 * row.n) / total)} %</span>
                  </td>
                </tr>`,
            ),
          )
    }`
}

function recent(view: StatusView): Html {
  return html`<h2 id="recent">Recent verdicts</h2>
    ${
      view.recent.length === 0
        ? html`<p class="dim">Nothing has passed a gate yet.</p>`
        : table(
            'recent',
            ['Time', 'Verdict', 'Tool', 'Who', 'Provider', 'Decision', 'Ended', 'Reference'],
            view.recent.map(verdictRow),
          )
    }`
}

function verdictRow(row: RecentVerdict): Html {
  const observed =
    row.wouldBe === row.verdict
      ? null
      : html`<br /><span class="small dim">would be ${row.wouldBe}</span>`
  return html`<tr>
    <td class="nowrap">${instant(row.atMs)}</td>
    <td>${tag(row.verdict, tones[row.verdict] ?? 'dim')}${observed}</td>
    <td>${row.tool} <span class="dim small">${row.release}</span></td>
    <td><code>${row.subject.slice(0, 12)}</code></td>
    <td>${row.provider}</td>
    <td>${row.decision === '' ? html`<span class="dim">none</span>` : row.decision}</td>
    <td>${row.result === '' ? html`<span class="dim">open</span>` : row.result}</td>
    <td><code>${row.reference}</code></td>
  </tr>`
}

function approvedList(decisions: readonly ListedDecision[]): Html {
  return html`<h2 id="approved">
      The approved list
      <span class="dim small">dates begin at midnight by the clock of each site</span>
    </h2>
    ${
      decisions.length === 0
        ? html`<p class="dim">No decision yet.</p>`
        : table(
            'approved',
            ['What', 'Status', 'For', 'From', 'Until', 'Instead', 'Decision'],
            decisions.map(
              (one) =>
                html`<tr>
                  <td>${one.subject}</td>
                  <td>
                    ${one.withdrawn ? tag('withdrawn', 'dim') : tag(one.status, tones[one.status] ?? 'dim')}
                    ${one.profile === 'enforce' ? null : html`<br /><span class="small dim">${one.profile} only</span>`}
                  </td>
                  <td>${one.scope}</td>
                  <td>
                    ${one.from}
                    ${one.announced === '' ? null : html`<br /><span class="small dim">warned from ${one.announced}</span>`}
                  </td>
                  <td>${one.until === '' ? html`<span class="dim">open</span>` : one.until}</td>
                  <td>${one.instead}</td>
                  <td><code>${one.id}</code></td>
                </tr>`,
            ),
          )
    }`
}

/** Wide tables scroll by themselves, also by keyboard, so the page never does sideways. */
function table(labelledBy: string, heads: readonly string[], rows: readonly Html[]): Html {
  return html`<div class="scroll" role="region" tabindex="0" aria-labelledby="${labelledBy}">
    <table aria-labelledby="${labelledBy}">
      <thead>
        <tr>
          ${heads.map((head) => html`<th scope="col">${head}</th>`)}
        </tr>
      </thead>
      <tbody>
        ${rows}
      </tbody>
    </table>
  </div>`
}

function tag(words: string, tone: string): Html {
  return html`<span class="tag ${tone}">${words}</span>`
}

function instant(ms: number): string {
  return new Date(ms).toISOString().slice(0, 19).replace('T', ' ')
}

function age(ms: number): string {
  const seconds = Math.max(0, Math.round(ms / 1_000))
  if (seconds < 120) return `${seconds} s`
  if (seconds < 7_200) return `${Math.round(seconds / 60)} min`
  if (seconds < 48 * 3_600) return `${Math.round(seconds / 3_600)} h`
  return `${Math.round(seconds / 86_400)} days`
}
