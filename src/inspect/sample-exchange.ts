import type { Exchange } from '#words/exchange.ts'
import type { ExchangeId, ProviderId } from '#words/ids.ts'

/** An exchange around a body, for tests, benches and `postern inspect`. */
export function sampleExchange(
  body: Buffer | string,
  given: Partial<Omit<Exchange, 'body' | 'readable'>> = {},
): Exchange {
  const bytes = typeof body === 'string' ? Buffer.from(body) : body
  return {
    id: 'ex_aaaaaaaaaaaaaaaaaaaa' as ExchangeId,
    door: 'base-url',
    transport: 'http',
    atMs: 0,
    method: 'POST',
    target: '/v1/messages',
    host: 'provider.example',
    provider: 'sample' as ProviderId,
    purpose: 'inference',
    wire: 'anthropic-messages',
    rawHeaders: [],
    peer: '127.0.0.1',
    ...given,
    body: bytes,
    readable: bytes,
  }
}
