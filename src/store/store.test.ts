import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, test } from 'vitest'
import { createStore } from './store.ts'
import type { Batch } from './tables.ts'

const dir = mkdtempSync(join(tmpdir(), 'postern-store-'))
const pids: number[] = []
const store = createStore({
  dir,
  nowMs: () => 1_700_000_000_000,
  onEvent: (event, fields) => {
    if (event === 'store-ready' && fields.pid !== undefined) pids.push(fields.pid)
  },
})
afterAll(async () => {
  await store.close()
  rmSync(dir, { recursive: true, force: true })
})

const batch: Batch = {
  from: 0,
  next: 2,
  entries: [
    {
      index: 0,
      at_ms: 1_000,
      kind: 'node',
      node: 'gate-a/0',
      counter: 1,
      subject: null,
      body: { a: [1] },
    },
    {
      index: 1,
      at_ms: 1_001,
      kind: 'verdict',
      node: 'gate-a/0',
      counter: 2,
      subject: 'p_x',
      body: null,
    },
  ],
  exchanges: [
    {
      node: 'gate-a/0',
      counter: 2,
      index: 1,
      at_ms: 1_001,
      exchange: "ex_'quoted",
      subject: 'p_x',
      door: 'tls',
      tool: 'codex',
      release: '0.1',
      provider: 'openai',
      purpose: 'inference',
      model: 'm',
      verdict: 'block',
      would_be: 'block',
      profile: 'enforce',
      status: 'prohibited',
      decision: 'dec-1',
      bundle_counter: 9_007_199_254_740_991,
      body_bytes: 10,
      findings: 0,
    },
  ],
  outcomes: [
    {
      node: 'gate-a/0',
      counter: 2,
      outcome_index: 2,
      result: 'refused',
      http_status: 403,
      bytes_up: 1,
      bytes_down: 2,
      first_byte_ms: -1,
      total_ms: 0.5,
      input_tokens: -1,
      output_tokens: -1,
    },
  ],
  decisions: [],
  connections: [],
  checkpoints: [{ size: 2, at_ms: 1_002, root: 'r', witnesses: 0 }],
}

// One test, since a cold start of PGlite takes seconds.
test('applies once, joins outcomes, answers read-only, survives its process', async () => {
  expect(store.state()).toBe('resting')
  expect(await store.apply(batch)).toBe(2)
  expect(await store.apply(batch), 'a batch from elsewhere changes nothing').toBe(2)
  const [row] = await store.select<Record<string, unknown>>({
    name: 'all',
    sql: 'select * from exchanges where node = $1',
    parameters: ['gate-a/0'],
  })
  expect(row).toMatchObject({
    exchange: "ex_'quoted",
    http_status: 403,
    result: 'refused',
    total_ms: 0.5,
  })

  await expect(
    store.select({ name: 'evil', sql: 'delete from exchanges returning 1', parameters: [] }),
  ).rejects.toMatchObject({ code: 'store-unavailable' })
  expect(await store.position()).toBe(2)

  process.kill(pids[0] as number, 'SIGKILL')
  await expect.poll(() => store.state()).toBe('failed')
  await expect(store.position()).rejects.toMatchObject({ code: 'store-unavailable' })
  await store.wipe()
  expect(await store.position(), 'after wiping there is nothing').toBe(0)
}, 120_000)
