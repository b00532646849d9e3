/** Child process: a provider that costs as little as possible. Paced SSE on `x-bench: sse`. */
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { paceMs } from './gate-bodies.ts'

const events = 20

const whole = Buffer.from(
  JSON.stringify({
    id: 'msg_bench',
    type: 'message',
    role: 'assistant',
    model: 'claude-sonnet-4-5',
    content: [{ type: 'text', text: 'The test passes now. '.repeat(40) }],
    stop_reason: 'end_turn',
    stop_sequence: null,
    usage: { input_tokens: 25_000, output_tokens: 200 },
  }),
)
const start = Buffer.from(
  'event: message_start\ndata: {"type":"message_start","message":{"id":"msg_bench","type":"message","role":"assistant","model":"claude-sonnet-4-5","content":[],"stop_reason":null,"usage":{"input_tokens":25000,"output_tokens":1}}}\n\nevent: content_block_start\ndata: {"type":"content_block_start","index":0,"content_block":{"type":"text","text":""}}\n\n',
)
const delta = Buffer.from(
  'event: content_block_delta\ndata: {"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"The test passes now. "}}\n\n',
)
const end = Buffer.from(
  'event: content_block_stop\ndata: {"type":"content_block_stop","index":0}\n\nevent: message_delta\ndata: {"type":"message_delta","delta":{"stop_reason":"end_turn"},"usage":{"output_tokens":200}}\n\nevent: message_stop\ndata: {"type":"message_stop"}\n\n',
)

const server = createServer((req, res) => {
  req.resume()
  req.on('end', () => {
    if (req.headers['x-bench'] !== 'sse') {
      res.writeHead(200, { 'content-type': 'application/json', 'content-length': whole.length })
      res.end(whole)
      return
    }
    res.writeHead(200, { 'content-type': 'text/event-stream' })
    res.write(start)
    let left = events
    const timer = setInterval(() => {
      if (left-- > 0) res.write(delta)
      else {
        clearInterval(timer)
        res.end(end)
      }
    }, paceMs)
    res.once('close', () => clearInterval(timer))
  })
})
server.keepAliveTimeout = 60_000
server.listen(0, '127.0.0.1', () => {
  process.send?.({ kind: 'ready', port: (server.address() as AddressInfo).port })
})
process.once('disconnect', () => process.exit(0))
