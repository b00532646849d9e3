import { join, resolve } from 'node:path'
import type { Command } from 'commander'
import { instantText } from '#words/clock.ts'
import { Fault } from '#words/faults.ts'

type Common = { readonly home: string; readonly json?: boolean }

type IssueOptions = Common & {
  readonly user: string
  readonly device?: string
  readonly site?: string
  readonly expires: string
  readonly tool?: string
  readonly provider?: readonly string[]
  readonly baseUrl?: string
  readonly proxy?: string
}

/** `postern token …` and `postern device …`: who may knock at the gates. */
export function registerToken(program: Command): void {
  const token = program.command('token').description('gateway tokens of people and devices')
  common(token.command('issue'))
    .description('make a token; it is printed once and kept as a hash only')
    .requiredOption('--user <id>', 'whose token it is')
    .option('--device <id>', 'the enrolled device that it is for')
    .option('--site <id>', "by default the person's site")
    .option('--expires <time>', 'how long it is good for: 12h, 30d, 8w', '30d')
    .option('--tool <id>', 'print the lines that point this tool at the gate')
    .option('--provider <id...>', 'good for these providers only')
    .option('--base-url <url>', 'the base-URL door, where it is not this machine')
    .option('--proxy <url>', 'the TLS door, where it is not this machine')
    .action(issue)

  common(token.command('list'))
    .description('every token, without the token')
    .action(async (options: Common) => {
      const { askRegister } = await import('./register-client.ts')
      const answer = await askRegister(resolve(options.home), 'list-tokens', {})
      if (options.json === true) return print(answer)
      say(
        answer.tokens.map((one) => {
          const state = one.revokedAtMs === null ? `until ${instantText(one.expiresMs)}` : 'revoked'
          return `${one.id}  ${one.user}  ${one.device}  ${state}`
        }),
        'there is no token',
      )
    })

  common(token.command('revoke'))
    .description('refuse a token from now on; open streams are cut')
    .argument('<id>', 'tok_…')
    .requiredOption('--reason <text>', 'why; it is kept in the ledger')
    .action(async (id: string, options: Common & { readonly reason: string }) => {
      const { askRegister } = await import('./register-client.ts')
      await askRegister(resolve(options.home), 'revoke-token', { id, reason: options.reason })
      if (options.json === true) print({ revoked: id })
      else say([`revoked ${id}`])
    })
  registerDevice(program)
}

function registerDevice(program: Command): void {
  const device = program.command('device').description('devices whose keys sign launches')
  common(device.command('enroll'))
    .description('let a device sign for its launches; only its public key is handed in')
    .requiredOption('--user <id>', 'whose device it is')
    .requiredOption('--key <key>', 'Ed25519 public key, base64 of the 32 raw bytes')
    .option(
      '--custody <who>',
      'device-user or device-system: who could alter what it says',
      'device-user',
    )
    .option('--level-max <level>', 'the highest level that it may claim: none, L0 to L3', 'L1')
    .action(
      async (
        options: Common & {
          readonly user: string
          readonly key: string
          readonly custody: string
          readonly levelMax: string
        },
      ) => {
        const { askRegister } = await import('./register-client.ts')
        const { id } = await askRegister(resolve(options.home), 'enroll-device', {
          user: options.user,
          publicKey: options.key,
          custody: oneOf('custody', options.custody, ['device-user', 'device-system', 'central']),
          levelMax: oneOf('level-max', options.levelMax, ['none', 'L0', 'L1', 'L2', 'L3']),
        })
        if (options.json === true) print({ id })
        else say([`enrolled ${id}`])
      },
    )
  common(device.command('list'))
    .description('every device')
    .action(async (options: Common) => {
      const { askRegister } = await import('./register-client.ts')
      const answer = await askRegister(resolve(options.home), 'list-devices', {})
      if (options.json === true) return print(answer)
      say(
        answer.devices.map((one) => {
          const state =
            one.revokedAtMs === null ? `${one.custody}, up to ${one.levelMax}` : 'revoked'
          return `${one.id}  ${one.user}  ${state}`
        }),
        'there is no device',
      )
    })
  common(device.command('revoke'))
    .description('refuse every launch that the device signs; its key never comes back')
    .argument('<id>', 'dev-…')
    .requiredOption('--reason <text>', 'why; it is kept in the ledger')
    .action(async (id: string, options: Common & { readonly reason: string }) => {
      const { askRegister } = await import('./register-client.ts')
      await askRegister(resolve(options.home), 'revoke-device', { id, reason: options.reason })
      if (options.json === true) print({ revoked: id })
      else say([`revoked ${id}`])
    })
}

async function issue(options: IssueOptions): Promise<void> {
  const home = resolve(options.home)
  const { loadConfig } = await import('#register/config-file.ts')
  const { loadCatalog } = await import('#register/catalog-files.ts')
  const { findTool, parseDuration, pointingLines } = await import('#register/tokens.ts')
  const { instead } = await import('#register/near.ts')
  const { askRegister } = await import('./register-client.ts')
  const forMs = parseDuration(options.expires)
  if (forMs === null) throw new Fault('usage', { outward: '--expires is like 12h, 30d or 8w.' })

  // Everything that can be wrong is looked at before the token is made: it is shown only once.
  const config = loadConfig(home)
  const catalog = loadCatalog(config.catalogDir)
  const tool = options.tool === undefined ? null : findTool(catalog, options.tool)
  if (options.tool !== undefined && tool === null) {
    const ids = catalog.tools.map((row) => row.id)
    throw new Fault('not-found', {
      outward: `There is no tool \`${options.tool}\`; ${instead(options.tool, ids)}`,
    })
  }
  const { listen } = config
  const doors = {
    base: options.baseUrl ?? `http://${hostText(listen.host)}:${listen.baseUrlPort}`,
    proxy: options.proxy ?? `http://${hostText(listen.host)}:${listen.tlsPort}`,
    ca: join(home, 'ca', 'ca.pem'),
  }
  for (const [name, url] of [
    ['base-url', doors.base],
    ['proxy', doors.proxy],
  ] as const) {
    if (!URL.canParse(url)) throw new Fault('usage', { outward: `--${name} is not an address.` })
  }
  const made = await askRegister(home, 'issue-token', {
    user: options.user,
    expiresMs: Date.now() + forMs,
    ...(options.device === undefined ? {} : { device: options.device }),
    ...(options.site === undefined ? {} : { site: options.site }),
    ...(options.tool === undefined ? {} : { tool: options.tool }),
    ...(options.provider === undefined ? {} : { providers: [...options.provider] }),
  })
  const pointing = tool === null ? [] : pointingLines(tool, made.text, doors)
  if (options.json === true) {
    return print({ id: made.id, token: made.text, expires: instantText(made.expiresMs), pointing })
  }
  say([
    made.text,
    '',
    `${made.id} of ${options.user}, until ${instantText(made.expiresMs)}. It is shown this once.`,
    ...(tool === null ? [] : ['', `${tool.name}:`, ...pointing.map((line) => `  ${line}`)]),
  ])
}

function hostText(host: string): string {
  const shown = host === '0.0.0.0' ? '127.0.0.1' : host === '::' ? '::1' : host
  return shown.includes(':') ? `[${shown}]` : shown
}

function oneOf<Value extends string>(
  option: string,
  text: string,
  values: readonly Value[],
): Value {
  const found = values.find((value) => value === text)
  if (found !== undefined) return found
  throw new Fault('usage', { outward: `--${option} is one of: ${values.join(', ')}.` })
}

function common(command: Command): Command {
  return command
    .option('--home <dir>', 'where everything is kept', '.postern')
    .option('--json', 'print JSON')
}

function print(value: unknown): void {
  process.stdout.write(`${JSON.stringify(value, null, 2)}\n`)
}

function say(lines: readonly string[], none = ''): void {
  const shown = lines.length === 0 && none !== '' ? [none] : lines
  process.stdout.write(shown.map((line) => `${line}\n`).join(''))
}
