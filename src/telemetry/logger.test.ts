import { mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { Fault } from '#words/faults.ts'
import { createLogger } from './logger.ts'

test('writes allow-listed fields only, whatever it is handed', () => {
  const dir = mkdtempSync(join(tmpdir(), 'postern-log-'))
  const file = join(dir, 'control.log')
  const log = createLogger({ name: 'control', file })
  log.info('gate-connected', { node: 'gate-a/0', counter: 3, prompt: 'secret words' } as never)
  log.warn('odd', { status: { deep: 'secret words' } } as never)
  log.fault('failed', new TypeError('secret words'))
  log.fault('failed', new Fault('spool-full', { outward: 'Full.', inward: 'ENOSPC at segment 3' }))
  log.flush()
  const text = readFileSync(file, 'utf8')
  expect(text).not.toContain('secret words')
  const lines = text
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as Record<string, unknown>)
  expect(lines[0]).toMatchObject({ level: 'info', name: 'control', node: 'gate-a/0', counter: 3 })
  expect(lines[2]).toMatchObject({ code: 'TypeError' })
  expect(lines[3]).toMatchObject({ code: 'spool-full', detail: 'ENOSPC at segment 3' })
  expect(statSync(file).mode & 0o077).toBe(0)
  rmSync(dir, { recursive: true })
})
