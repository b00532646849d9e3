import { mkdtempSync, cpSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, test } from 'vitest'
import { isFault } from '#words/faults.ts'
import { loadCatalog, readCatalog } from './catalog-files.ts'

const temporary = mkdtempSync(join(tmpdir(), 'postern-catalog-'))
afterAll(() => rmSync(temporary, { recursive: true, force: true }))
let copies = 0

function copyWith(file: string, change: (text: string) => string): string {
  const dir = join(temporary, String(copies++))
  cpSync('catalog', dir, { recursive: true })
  const path = join(dir, file)
  writeFileSync(path, change(readFileSync(path, 'utf8')))
  return dir
}

function broken(change: (text: string) => string): string {
  return wordsOf(copyWith('vendors.yaml', change))
}

function wordsOf(dir: string): string {
  try {
    loadCatalog(dir)
  } catch (fault) {
    if (isFault(fault, 'catalog-invalid')) return fault.outward.replaceAll(`${dir}/`, '')
    throw fault
  }
  return 'no fault'
}

test('the starter catalog covers the named tools, each with a source', () => {
  const { catalog, traces } = readCatalog('catalog')
  expect(catalog.tools.map((tool) => tool.id)).toEqual([
    'aider',
    'amp',
    'claude-code',
    'cline',
    'codex',
    'continue',
    'copilot-cli',
    'copilot-editor',
    'cursor',
    'gemini-cli',
    'opencode',
    'qoder',
    'qwen-code',
    'windsurf',
  ])
  for (const row of [...catalog.tools, ...catalog.providers, ...catalog.families]) {
    expect(row.source.length).toBeGreaterThan(20)
  }
  expect(catalog.tools.every((tool) => !('traces' in tool))).toBe(true)
  expect(traces.get('claude-code')?.binaries).toContain('claude')
})

test.each([
  ['claude-cli/2.1.330 (external, cli)', 'claude-code', '2.1.330', 'yes'],
  ['claude-cli/2.1.330 (external, sdk-cli)', 'claude-code', '2.1.330', 'no'],
  [
    'codex_exec/0.169.0 (Debian 12.0.0; x86_64) unknown (codex_exec; 0.169.0)',
    'codex',
    '0.169.0',
    'no',
  ],
  ['codex-tui/0.169.0 (Mac OS 26.0.0; arm64) iTerm.app/3.6.1', 'codex', '0.169.0', 'yes'],
  ['codex_cli_rs/0.136.0', 'codex', '0.136.0', 'no'],
  ['GeminiCLI/0.61.0/gemini-3-pro (linux; x64; terminal)', 'gemini-cli', '0.61.0', null],
  ['QwenCode/0.24.4 (linux; x64)', 'qwen-code', '0.24.4', null],
  ['opencode/1.18.33 ai-sdk/provider-utils/4.0.0 runtime/bun/1.3.0', 'opencode', '1.18.33', null],
  ['GitHubCopilotChat/0.35.0', 'copilot-editor', '0.35.0', null],
  ['python-httpx/0.27', null, null, null],
])('user agent %s', (userAgent, tool, version, interactive) => {
  const found = loadCatalog('catalog').tools.flatMap((row) =>
    row.identities.flatMap((identity) => {
      if (identity.userAgent === undefined) return []
      const match = new RegExp(identity.userAgent, 'u').exec(userAgent)
      return match === null ? [] : [{ row, identity, version: match.groups?.['version'] }]
    }),
  )
  expect(found.map((one) => one.row.id)).toEqual(tool === null ? [] : [tool])
  if (tool === null) return
  expect(found[0]?.version).toBe(version)
  const said = found[0]?.identity.interactive
  expect(said === undefined ? null : new RegExp(said, 'u').test(userAgent) ? 'yes' : 'no').toBe(
    interactive,
  )
})

test('each host and mount has one owner', () => {
  const dir = copyWith('providers/openai.yaml', (text) =>
    text
      .replace('mount: openai', 'mount: anthropic')
      .replace('ab.chatgpt.com', 'api.anthropic.com'),
  )
  const words = wordsOf(dir)
  expect(words).toContain(
    'providers/openai.yaml:4:8: `anthropic` is already the mount of anthropic',
  )
  expect(words).toContain('`api.anthropic.com` already belongs to anthropic')
})

test('an unknown key says where it is and what was meant', () => {
  const dir = copyWith('tools/codex.yaml', (text) => text.replace('providers:', 'provider:'))
  expect(wordsOf(dir)).toBe(
    'tools/codex.yaml:6:1: there is no `provider` here; did you mean `providers`?\n' +
      'tools/codex.yaml:1:1: `providers` is missing; add it (a list)',
  )
})

test('an unknown vendor, provider and purpose are named with what is near', () => {
  expect(
    wordsOf(
      copyWith('tools/codex.yaml', (text) => text.replace('vendor: openai', 'vendor: openay')),
    ),
  ).toBe('tools/codex.yaml:3:9: there is no vendor `openay`; did you mean `openai`?')
  expect(wordsOf(copyWith('tools/amp.yaml', (text) => text.replace('[amp]', '[amq]')))).toContain(
    'there is no provider `amq`; did you mean `amp`?',
  )
  expect(
    wordsOf(
      copyWith('providers/openai.yaml', (text) => text.replace('purpose: count', 'purpose: cuont')),
    ),
  ).toContain('`purpose` cannot be `cuont`; did you mean `count`?')
})

test('an identity that would match everyone, and a broken pattern, are refused', () => {
  expect(
    wordsOf(
      copyWith('tools/amp.yaml', (text) => text.replace(/userAgent: .*/, "userAgent: '(unclosed'")),
    ),
  ).toContain('this is not a regular expression that JavaScript can read')
  expect(
    wordsOf(
      copyWith('tools/windsurf.yaml', (text) =>
        text.replace(/- userAgent: .*\n {4}confidence/, '- confidence'),
      ),
    ),
  ).toContain('would match everyone')
})

test('not YAML, twice the same key, an alias', () => {
  expect(broken((text) => `${text}\n\tx: 1\n`)).toMatch(/^vendors\.yaml:\d+:\d+: /)
  expect(broken((text) => `${text}\nvendors: []\n`)).toContain('this key stands twice')
  expect(broken((text) => text.replace('{ id: aider', '&a { id: aider'))).toContain(
    'anchors and aliases are not read here',
  )
})
