import { execFileSync, spawnSync } from 'node:child_process'
import { setTimeout as sleep } from 'node:timers/promises'

let terminals = 0

/**
 * A program in a real terminal: tmux with a server of its own, so that no other session is ever
 * seen or touched.
 */
export class Terminal implements Disposable {
  readonly #socket: string

  constructor(input: {
    readonly program: string
    readonly args?: readonly string[]
    readonly cwd: string
    readonly env: Readonly<Record<string, string>>
    readonly columns?: number
    readonly rows?: number
  }) {
    this.#socket = `postern-test-${process.pid}-${terminals++}`
    const variables = Object.entries(input.env).map(([name, value]) => `${name}=${value}`)
    const size = ['-x', String(input.columns ?? 110), '-y', String(input.rows ?? 50)]
    const command = ['env', '-i', ...variables, input.program, ...(input.args ?? [])]
    this.#tmux(['new-session', '-d', '-s', 'main', ...size, '-c', input.cwd, '--', ...command])
    this.#tmux(['set-option', '-g', 'remain-on-exit', 'on'])
  }

  #tmux(args: readonly string[]): string {
    return execFileSync('tmux', ['-L', this.#socket, '-f', '/dev/null', ...args], {
      encoding: 'utf8',
      env: { PATH: process.env['PATH'] ?? '', TERM: 'xterm-256color', LANG: 'C.UTF-8' },
      stdio: ['ignore', 'pipe', 'pipe'],
    })
  }

  /** What stands on the screen, with wrapped lines joined. */
  screen(): string {
    return this.#tmux(['capture-pane', '-p', '-J', '-t', 'main', '-S', '-200'])
  }

  type(text: string): void {
    this.#tmux(['send-keys', '-t', 'main', '-l', text])
  }

  press(key: 'Enter' | 'Escape' | 'C-c' | 'C-d' | 'Up' | 'Down'): void {
    this.#tmux(['send-keys', '-t', 'main', key])
  }

  /**
   * Types a prompt at a client that is ready for one, and sends it. A quick Enter counts as part
   * of a paste in some clients, and one that still draws its first screen swallows it.
   */
  async submit(prompt: string, sent: () => boolean): Promise<void> {
    await this.waitFor(/[❯›]/)
    await sleep(1_200)
    this.type(prompt)
    await this.waitFor(new RegExp(prompt))
    for (let presses = 0; presses < 8 && !sent(); presses++) {
      await sleep(700)
      if (!sent()) this.press('Enter')
      await sleep(800)
    }
    if (!sent()) throw new Error(`the client sent nothing:\n${this.screen()}`)
  }

  /** Waits until the screen says it; throws with the whole screen when it does not. */
  async waitFor(what: RegExp, timeoutMs = 30_000): Promise<string> {
    const endMs = performance.now() + timeoutMs
    for (;;) {
      const screen = this.screen()
      if (what.test(screen) || what.test(flat(screen))) return screen
      if (performance.now() > endMs) {
        throw new Error(`the screen did not show ${String(what)} in ${timeoutMs} ms:\n${screen}`)
      }
      await sleep(150)
    }
  }

  [Symbol.dispose](): void {
    spawnSync('tmux', ['-L', this.#socket, 'kill-server'])
  }
}

/** Programs that draw wrap lines themselves: one line again, single spaces. */
export function flat(screen: string): string {
  return screen.replace(/\s+/g, ' ')
}
