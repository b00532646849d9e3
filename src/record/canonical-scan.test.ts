import fc from 'fast-check'
import { expect, test } from 'vitest'
import { canonicalJson } from '#words/canonical.ts'
import { canonicalScan } from './canonical-scan.ts'

test('what canonicalJson writes is canonical', () => {
  fc.assert(
    fc.property(fc.dictionary(fc.string({ unit: 'grapheme-ascii' }), fc.jsonValue()), (value) => {
      // Beyond ASCII the order of UTF-16 and of bytes differ; our own keys are ASCII.
      fc.pre(!/[^\x00-\x7f]/.test(JSON.stringify(value)))
      fc.pre(!JSON.stringify(value).includes('\\'))
      expect(canonicalScan(Buffer.from(canonicalJson(value)))).toBe(true)
    }),
    { numRuns: 300 },
  )
})

test.each([
  '{"a":1,"a":2}',
  '{"b":1,"a":2}',
  '{"a":{"z":1,"y":1}}',
  '{ "a":1}',
  '{"a":1} ',
  '{"a":1}{}',
  '{"a":1,}',
  '{"a"}',
  '{"a":[1,2}',
  '{"a":"open',
  '[1]',
  '',
])('%s is not', (text) => {
  expect(canonicalScan(Buffer.from(text))).toBe(false)
})
