import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { isFault } from '#words/faults.ts'
import { loadConfig } from './config-file.ts'

let home = ''
beforeEach(() => {
  home = mkdtempSync(join(tmpdir(), 'postern-config-'))
})
afterEach(() => rmSync(home, { recursive: true, force: true }))

function wordsOf(text: string): string {
  writeFileSync(join(home, 'postern.yaml'), text)
  try {
    loadConfig(home)
  } catch (fault) {
    if (isFault(fault, 'config-invalid')) return fault.outward.replaceAll(`${home}/`, '')
    throw fault
  }
  return 'no fault'
}

test('without a file everything has a default, and the gate a name that stays', () => {
  const config = loadConfig(home)
  expect(config).toMatchObject({
    workers: 2,
    defaultProfile: 'enforce',
    otherHosts: 'tunnel',
    listen: { host: '127.0.0.1' },
    registerDir: join(home, 'register'),
  })
  expect(config.gateName).toMatch(/^gate-[a-z2-7]{6}$/)
  expect(loadConfig(home).gateName).toBe(config.gateName)
})

test('paths are relative to the home', () => {
  writeFileSync(join(home, 'postern.yaml'), 'upstreamCaFile: ca/inside.pem\nregisterDir: ../list\n')
  expect(loadConfig(home)).toMatchObject({
    upstreamCaFile: join(home, 'ca/inside.pem'),
    registerDir: join(home, '../list'),
  })
})

test.each([
  [
    'otherHost: tunnel',
    'postern.yaml:1:1: there is no `otherHost` here; did you mean `otherHosts`?',
  ],
  [
    'otherHosts: tunel',
    'postern.yaml:1:13: `otherHosts` cannot be `tunel`; did you mean `tunnel`?',
  ],
  ['workers: 99', 'postern.yaml:1:10: `workers` must be at most 64'],
  ['workers: two', 'postern.yaml:1:10: `workers` is not a number; write a number'],
  ['listen: { host: localhost }', 'postern.yaml:1:17: `host`: write the IP address to listen on'],
  [
    'upstreamAddressesAllowed: [10.0.0.0/33]',
    'postern.yaml:1:28: item 1 of `upstreamAddressesAllowed`: write an IP address, with a prefix length if it is a network: `10.1.2.0/24`',
  ],
  [
    'providerBaseUrls: { antropic: http://127.0.0.1:1 }',
    'postern.yaml:1:31: there is no provider `antropic` in the catalog; did you mean `anthropic`?',
  ],
  [
    'limits: { bytesInFlight: 3 }',
    'postern.yaml:1:11: there is no `bytesInFlight` here; did you mean `bytesInFlightMax`?',
  ],
  [
    'listen: &a { host: 127.0.0.1 }',
    'postern.yaml:1:12: anchors and aliases are not read here; write the value out',
  ],
])('%s', (text, words) => {
  expect(wordsOf(`${text}\n`)).toBe(words)
})

test('an alias bomb is refused before it grows', () => {
  expect(wordsOf('a: &a [1,1]\nb: &b [*a,*a]\nc: [*b,*b]\n')).toContain('anchors and aliases')
})
