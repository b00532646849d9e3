import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { endToEndHeaders } from './headers.ts'

test('what belongs to one hop ends here; the rest keeps order, case and number', () => {
  const came = [
    ['X-A', '1'],
    ['HOST', 'gate:1'],
    ['Connection', 'keep-alive, X-Named, Host, content-length'],
    ['x-named', 'gone'],
    ['Keep-Alive', 'timeout=5'],
    ['Proxy-Authorization', 'Basic x'],
    ['proxy-anything', 'x'],
    ['TE', 'trailers'],
    ['te', 'gzip, trailers'],
    ['Transfer-Encoding', 'chunked'],
    ['Expect', '100-continue'],
    ['Upgrade', 'h2c'],
    ['x-a', '2'],
    ['Authorization', 'Bearer pst_x'],
    ['X-Api-Key', 'their own'],
  ].flat()
  expect(
    endToEndHeaders(came, { strip: ['authorization'], host: 'api.example', bodyLength: 7 }),
  ).toEqual(
    [
      ['X-A', '1'],
      ['HOST', 'api.example'],
      ['TE', 'trailers'],
      ['Content-Length', '7'],
      ['x-a', '2'],
      ['X-Api-Key', 'their own'],
    ].flat(),
  )
})

test('two lengths become one, and it is the true one', () => {
  const came = ['Content-Length', '5', 'content-length', '6', 'Transfer-Encoding', 'chunked']
  expect(endToEndHeaders(came, { strip: [], bodyLength: 3 })).toEqual(['Content-Length', '3'])
  expect(endToEndHeaders([], { strip: [], bodyLength: 0, host: 'h' })).toEqual(['Host', 'h'])
})

test('a handshake keeps Connection and Upgrade', () => {
  const came = ['Connection', 'Upgrade', 'Upgrade', 'websocket', 'Sec-WebSocket-Key', 'k']
  expect(endToEndHeaders(came, { strip: [], upgrade: true })).toEqual(came)
})

test('headers of no hop pass untouched, whatever they are called', () => {
  const name = fc.stringMatching(/^x-[A-Za-z0-9-]{0,20}$/)
  fc.assert(
    fc.property(fc.array(fc.tuple(name, fc.string())), (rows) => {
      const came = rows.flat()
      expect(endToEndHeaders(came, { strip: [] })).toEqual(came)
    }),
  )
})
