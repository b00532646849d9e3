import { generateKeyPairSync } from 'node:crypto'
import { expect, test } from 'vitest'
import { openCheckpoint, parseCheckpoint, signCheckpoint } from './checkpoint.ts'
import { emptyRoot, leafHash } from './hashing.ts'
import {
  cosign,
  cosignatureType,
  parseNote,
  parseVerifierKey,
  verifierKeyText,
  verifyNote,
} from './note.ts'

const origin = 'postern.example/log'

function someLog() {
  const { privateKey, publicKey } = generateKeyPairSync('ed25519')
  return { privateKey, verifier: parseVerifierKey(verifierKeyText(origin, publicKey)) }
}

test('the example of the signed-note specification verifies', () => {
  const key = parseVerifierKey(
    'example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k',
  )
  const source =
    'This is an example message.\n\n— example.com/foo Uw2QOkn8srV1yJGh2VYRlL1Tnagv1YEq6TfXppzi2' +
    'ONncAlTgK7Ztg1ERYNZXsYjOBH3mFXmRKuwHjG1Yu72IneyaQM=\n'
  expect(verifyNote(parseNote(source), [key])).toHaveLength(1)
  const changed = source.replace('example message', 'example massage')
  expect(() => verifyNote(parseNote(changed), [key])).toThrow('does not verify')
})

test('the example of the checkpoint specification is read', () => {
  const { origin: name, size } = parseCheckpoint(
    'example.com/behind-the-sofa\n20852163\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n\n' +
      '— example.com/behind-the-sofa Az3grlgtzPICa5OS8npVmf1Myq/5IZniMp+ZJurmRDeOoRDe4URYN7u5/' +
      'Zhcyv2q1gGzGku9nTo+zyWE+xeMcTOAYQ8=\n',
  )
  expect({ name, size }).toEqual({ name: 'example.com/behind-the-sofa', size: 20_852_163 })
})

test('a checkpoint counts only with the signature of its log', () => {
  const log = someLog()
  const source = signCheckpoint(origin, 7, leafHash(Buffer.from('x')), log.privateKey)
  expect(openCheckpoint(source, log.verifier).size).toBe(7)
  expect(() => openCheckpoint(source, someLog().verifier)).toThrow('not signed')
  expect(() => openCheckpoint(source.replace('\n7\n', '\n8\n'), log.verifier)).toThrow('verify')
  const other = parseVerifierKey(
    verifierKeyText('other.example/log', generateKeyPairSync('ed25519').publicKey),
  )
  expect(() => openCheckpoint(source, other)).toThrow('is of the log')
})

test('a cosignature names its witness and its time, and covers the text', () => {
  const log = someLog()
  const { privateKey, publicKey } = generateKeyPairSync('ed25519')
  const name = 'witness.example/w1'
  const witness = parseVerifierKey(verifierKeyText(name, publicKey, cosignatureType))
  const source = signCheckpoint(origin, 0, emptyRoot, log.privateKey)
  const cosigned = source + cosign(parseNote(source).text, name, privateKey, 1_679_315_147)
  const [signed] = openCheckpoint(cosigned, log.verifier, [witness]).witnesses
  expect(signed?.atSeconds).toBe(1_679_315_147)
  expect(openCheckpoint(cosigned, log.verifier).witnesses).toEqual([])
})

test.each([
  ['no signatures', 'text\n'],
  ['a control character', 'te\u0007xt\n\n— a AAAAAAA=\n'],
  ['a bad line', 'text\n\n- a AAAAAAA=\n'],
])('a note with %s is refused', (_, source) => {
  expect(() => parseNote(source)).toThrow('Not a signed note')
})
