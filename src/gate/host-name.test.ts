import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { readAuthority, readHostName } from './host-name.ts'

test('names have one spelling', () => {
  expect(readHostName('API.Example.COM.')).toBe('api.example.com')
  expect(readHostName('_dns.example.com')).toBe('_dns.example.com')
})

test('addresses in disguise and names that are none are refused', () => {
  const odd = ['127.1', '0x7f.1', '2130706433', '0x7f000001', '1.2.3.4', '', '.', 'a..b', '-a.com']
  for (const name of [...odd, 'a-.com', 'a b', 'exa\u0000mple.com', 'bücher.de', 'a'.repeat(254)]) {
    expect(readHostName(name), name).toBe(null)
  }
})

test('authorities', () => {
  expect(readAuthority('Example.com:443', null)).toEqual({
    host: 'example.com',
    port: 443,
    isAddress: false,
  })
  expect(readAuthority('[::1]:8443', null)).toEqual({ host: '::1', port: 8443, isAddress: true })
  expect(readAuthority('10.0.0.1', 80)).toEqual({ host: '10.0.0.1', port: 80, isAddress: true })
  const odd = ['example.com', 'example.com:', 'example.com:0', 'example.com:65536', '::1:443']
  for (const text of [...odd, 'a@example.com:443', '[::1%25lo]:1', 'example.com:443/', 'a:1:2']) {
    expect(readAuthority(text, null), text).toBe(null)
  }
})

test('whatever is read reads the same again', () => {
  fc.assert(
    fc.property(fc.string({ maxLength: 40 }), fc.option(fc.nat(70_000)), (name, port) => {
      const read = readAuthority(port === null ? name : `${name}:${port}`, 443)
      if (read === null || read.isAddress) return
      expect(readHostName(read.host)).toBe(read.host)
    }),
  )
})
