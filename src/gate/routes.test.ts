import { expect, test } from 'vitest'
import type { Catalog } from '#words/catalog.ts'
import type { ProviderId, VendorId } from '#words/ids.ts'
import { compileRoutes } from './routes.ts'

const catalog: Catalog = {
  tools: [],
  families: [],
  vendors: [],
  providers: [
    {
      id: 'acme' as ProviderId,
      name: 'Acme',
      vendor: 'acme' as VendorId,
      mount: 'acme',
      baseUrl: 'https://api.acme.example',
      countries: [],
      source: 'made for this test',
      hosts: [
        { host: 'api.acme.example', role: 'inference' },
        { host: 'stats.acme.example', role: 'telemetry' },
        { host: 'login.shared.example', role: 'auth', shared: true },
      ],
      endpoints: [
        { method: 'POST', path: '/v1/messages', purpose: 'inference', wire: 'anthropic-messages' },
        { method: 'GET', path: '/v1/models/:id', purpose: 'models', wire: 'opaque' },
        { method: 'GET', path: '/files/*', purpose: 'other', wire: 'opaque' },
        {
          method: 'GET',
          path: '/v1/responses',
          purpose: 'inference',
          wire: 'openai-responses',
          webSocket: true,
        },
      ],
    },
  ],
}
const routes = compileRoutes(catalog, { sharedHostsOn: [], baseUrls: {} })

test('a mounted target loses its mount and keeps its query', () => {
  const route = routes.byMount('POST', '/acme/v1/messages?beta=true', false)
  expect(route).toMatchObject({
    provider: 'acme',
    purpose: 'inference',
    wire: 'anthropic-messages',
    target: '/v1/messages?beta=true',
    baseUrl: 'https://api.acme.example',
  })
  expect(routes.byMount('POST', '/other/v1/messages', false)).toBeNull()
})

test.each([
  ['POST', '/v1/messages/', false],
  ['PUT', '/v1/messages', false],
  ['POST', '/v1/%2e%2e/v1/messages', false],
  ['POST', '/v1/../v1/messages', false],
  ['POST', '/v1%2fmessages', false],
  ['POST', '/v1/messages%00', false],
  ['GET', '/v1/models/', false],
  ['GET', '/v1/responses', false],
  ['POST', '/v1/messages', true],
  ['POST', '/v1/%zz', false],
])('%s %s (upgrade %s) is unknown and says how to allow it', (method, target, upgrade) => {
  const route = routes.byHost('api.acme.example', method, target, upgrade)
  expect(route?.purpose).toBe('unknown')
  expect(route?.unknownBecause).toContain('catalog/providers/acme.yaml')
})

test('an encoded letter is the same path', () => {
  expect(routes.byHost('api.acme.example', 'POST', '/v1/%6dessages', false)?.purpose).toBe(
    'inference',
  )
})

test('parameters and rests match, WebSockets only as upgrades', () => {
  expect(routes.byHost('api.acme.example', 'GET', '/v1/models/m-1?x=1', false)?.purpose).toBe(
    'models',
  )
  expect(routes.byHost('api.acme.example', 'GET', '/files/a/b/c', false)?.purpose).toBe('other')
  expect(routes.byHost('api.acme.example', 'GET', '/v1/responses', true)?.webSocket).toBe(true)
})

test('other hosts have their role, shared hosts are off, unknown hosts are null', () => {
  expect(routes.byHost('stats.acme.example', 'POST', '/anything', false)?.purpose).toBe('telemetry')
  expect(routes.findHost('login.shared.example')).toBeNull()
  expect(routes.byHost('elsewhere.example', 'GET', '/', false)).toBeNull()
  const on = compileRoutes(catalog, { sharedHostsOn: ['login.shared.example'], baseUrls: {} })
  expect(on.findHost('login.shared.example')?.role).toBe('auth')
})
