import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { addressDanger, readAllowed } from './addresses.ts'

test.each([
  '127.0.0.1',
  '127.9.9.9',
  '0.0.0.0',
  '10.1.2.3',
  '172.31.0.1',
  '192.168.1.1',
  '169.254.169.254',
  '100.64.0.1',
  '100.127.255.255',
  '224.0.0.1',
  '255.255.255.255',
  '198.18.0.1',
  '192.0.0.8',
  '::',
  '::1',
  'fe80::1',
  'fe80::1%eth0',
  'fd00:ec2::254',
  'fec0::1',
  'ff02::1',
  '::ffff:127.0.0.1',
  '::ffff:7f00:1',
  '::ffff:a9fe:a9fe',
  '::127.0.0.1',
  '64:ff9b::10.0.0.1',
  '64:ff9b::a00:1',
  '2002:7f00:1::',
  '2001:0:1::',
  '64:ff9b:1::1',
  '100::1',
  '2001:db8::1',
  'nonsense',
  '',
])('%s is refused', (address) => {
  expect(addressDanger(address)).not.toBeNull()
})

test.each([
  '8.8.8.8',
  '160.79.104.10',
  '100.128.0.1',
  '172.32.0.1',
  '2606:4700::1',
  '::ffff:8.8.8.8',
])('%s is public', (address) => {
  expect(addressDanger(address)).toBeNull()
})

test('an IPv4 address is judged the same inside IPv6', () => {
  fc.assert(
    fc.property(fc.ipV4(), (address) => {
      fc.pre(address !== '0.0.0.0' && address !== '0.0.0.1')
      for (const front of ['::ffff:', '64:ff9b::', '::ffff:0:']) {
        expect(addressDanger(`${front}${address}`)).toBe(addressDanger(address))
      }
    }),
  )
})

test('a listing is for a port or a range, and nothing else is taken for one', () => {
  const allowed = readAllowed(['localhost:8080', '[::1]:81', '10.1.0.0/16', '127.0.0.1:80'])
  expect(allowed.has('localhost', '127.0.0.1', 8080)).toBe(true)
  expect(allowed.has('localhost', '127.0.0.1', 8081)).toBe(false)
  expect(allowed.has('other', '127.0.0.1', 8080)).toBe(false)
  expect(allowed.has('other', '::1', 81)).toBe(true)
  expect(allowed.has('x', '10.1.255.1', 9)).toBe(true)
  expect(allowed.has('x', '10.2.0.1', 9)).toBe(false)
  expect(readAllowed(['127.0.0.1']).has('x', '127.0.0.1', 9)).toBe(true)
  for (const wrong of ['localhost', '10.0.0.0/99', 'http://x:1', '*:80/8', '']) {
    expect(() => readAllowed([wrong])).toThrow(/upstreamAddressesAllowed/)
  }
})
