import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { loadCatalog } from './catalog-files.ts'
import { project } from './ledger.ts'
import type { RegisterState } from './ledger.ts'
import { makePlan } from './plan.ts'
import type { Plan } from './plan.ts'
import { combine } from './register-files.ts'
import { registerSchema } from './register-schema.ts'
import { parseYaml } from './yaml-file.ts'

const catalog = loadCatalog('catalog')
const nowMs = Date.parse('2026-11-23T12:00:00Z')
const world = {
  nowMs: () => nowMs,
  monotonicMs: () => 0,
  randomBytes: (n: number) => Buffer.alloc(n),
}

function planOf(text: string, state: RegisterState = project([])): Plan {
  const files = ['house.yaml', 'decisions.yaml'].map((name) => {
    const starter = readFileSync(`catalog/starter/${name}`, 'utf8')
      .replaceAll('{BAN}', '2026-12-24')
      .replaceAll('{ANNOUNCED}', '2026-11-16')
    return parseYaml(starter, registerSchema, 'register-invalid', `register/${name}`)
  })
  files.push(parseYaml(text, registerSchema, 'register-invalid', 'register/more.yaml'))
  return makePlan(
    {
      files: combine(files, catalog),
      catalog,
      policies: { policies: {}, schema: '' },
      house: { defaultProfile: 'enforce', otherHosts: 'tunnel', sharedHostsOn: [] },
    },
    state,
    world,
  )
}

function stateAfter(plan: Plan): RegisterState {
  return project(
    plan.changes.flatMap((change) =>
      change.kind === 'decision'
        ? [
            {
              event: { kind: 'decision-set', decision: change.after, approval: null } as const,
              knownAtMs: nowMs,
              entry: '',
            },
          ]
        : [],
    ),
  )
}

function wordsOf(text: string): string {
  try {
    planOf(text)
  } catch (fault) {
    return (fault as Error).message
  }
  return 'no fault'
}

function decision(id: string, lines: string): string {
  return `  - id: ${id}\n    rationale: x\n    owner: security\n${lines
    .trim()
    .split('\n')
    .map((line) => `    ${line.trim()}\n`)
    .join('')}`
}

const ban = decision(
  'dec-opencode-no',
  `subject: { tool: opencode }
   status: prohibited
   effectiveFrom: 2027-01-01`,
)

test('contradictions are refused with both names, the place and the instant', () => {
  expect(wordsOf(`decisions:\n${ban}`)).toBe(
    'register/more.yaml:2:5: dec-opencode says approved and dec-opencode-no says prohibited for the same scope; ' +
      'both count at shanghai from 2026-12-31T16:00:00.000Z: end, withdraw or narrow one of them',
  )
  expect(
    wordsOf(
      `decisions:\n${decision(
        'dec-anthropic-cn',
        `subject: { vendor: anthropic }
         status: prohibited
         scope: { countries: [CN] }
         effectiveFrom: 2026-08-01`,
      )}${decision(
        'dec-claude-shanghai',
        `subject: { release: 'pkg:npm/%40anthropic-ai/claude-code@2.1.197' }
         status: approved
         scope: { sites: [shanghai], groups: [payments] }
         effectiveFrom: 2026-09-01`,
      )}`,
    ),
  ).toContain(
    'dec-claude-shanghai (approved) could never take effect under dec-anthropic-cn (prohibited)',
  )
})

test('a new ban is not held up by approvals that it leaves without effect; they are named', () => {
  const approval = decision(
    'dec-amp-li',
    `subject: { tool: amp }
     status: approved
     scope: { users: [li.wei] }
     effectiveFrom: 2026-01-01`,
  )
  const state = stateAfter(planOf(`decisions:\n${approval}`))
  const plan = planOf(
    `decisions:\n${approval}${decision(
      'dec-amp-cn',
      `subject: { tool: amp }
       status: prohibited
       scope: { countries: [CN] }
       effectiveFrom: 2026-11-01
       alternatives: [qwen-code]`,
    )}`,
    state,
  )
  expect(plan.toSign.map((one) => one.about)).toEqual(['ground'])
  expect(plan.warnings[0]).toContain(
    'dec-amp-li (approved) could never take effect under dec-amp-cn',
  )
})

const aider = decision(
  'dec-aider',
  `subject: { tool: aider }
   status: approved
   scope: { countries: [DE, US] }
   effectiveFrom: 2026-01-01`,
)

function clineBan(more: string): string {
  return decision(
    'dec-cline-ban',
    `subject: { tool: cline }
     status: prohibited
     effectiveFrom: 2026-12-01
     ${more}`,
  )
}

test('a ban whose alternative is not allowed for somebody it affects is refused', () => {
  expect(wordsOf(`decisions:\n${aider}${clineBan('alternatives: [aider]')}`)).toContain(
    'dec-cline-ban: none of its alternatives (aider) is allowed for li.wei at shanghai (CN) on 2026-11-30T16:00:00.000Z',
  )
  const inGermany = 'scope: { countries: [DE] }\nalternatives: [aider]'
  expect(wordsOf(`decisions:\n${aider}${clineBan(inGermany)}`)).toBe('no fault')
  // Each of them needs one; qwen-code is allowed in Shanghai, aider elsewhere.
  expect(wordsOf(`decisions:\n${aider}${clineBan('alternatives: [aider, qwen-code]')}`)).toBe(
    'no fault',
  )
  expect(
    wordsOf(
      `decisions:\n${aider}${clineBan('scope: { countries: [CN] }\nalternatives: [qwen-code, aider]')}`,
    ),
  ).toContain('the alternative aider is allowed for nobody whom it affects')
})

test('an alternative that ends before the ban begins is none', () => {
  const ending = aider.replace('effectiveFrom', 'effectiveUntil: 2026-12-01\n    effectiveFrom')
  const inGermany = 'scope: { countries: [DE] }\nalternatives: [aider]'
  expect(wordsOf(`decisions:\n${ending}${clineBan(inGermany)}`)).toContain('anna.schmidt at berlin')
})

test('an alternative must be allowed for each class of data that the ban affects', () => {
  const onlySource = aider.replace('countries: [DE, US]', 'dataClasses: [source]')
  expect(
    wordsOf(
      `decisions:\n${onlySource}${clineBan('scope: { dataClasses: [source, personal] }\nalternatives: [aider]')}`,
    ),
  ).toContain('with data of class personal')
})

test('an urgent ban may take away the alternative of an older one, and says so', () => {
  const state = stateAfter(planOf(''))
  const text = `decisions:\n${decision(
    'dec-qwen-broken',
    `subject: { tool: qwen-code }
     status: prohibited
     scope: { countries: [CN, DE, US] }
     effectiveFrom: 2026-11-23`,
  )}${decision(
    'dec-opencode-broken',
    `subject: { tool: opencode }
     status: prohibited
     scope: { countries: [CN, DE, US] }
     effectiveFrom: 2026-11-23`,
  )}`
  const { warnings } = planOf(text, state)
  expect(warnings).toContainEqual(
    expect.stringContaining('dec-claude-code-ban: none of its alternatives (qwen-code, opencode)'),
  )
})

test.each([
  ['scope: { groups: [paymnets] }', 'there is no group `paymnets`; did you mean `payments`?'],
  ['scope: { sites: [shangai] }', 'there is no site `shangai`; did you mean `shanghai`?'],
  ['scope: { countries: [FR] }', 'there is no site in the country `FR`'],
  ['effectiveUntil: 2026-11-30', 'it ends before it starts'],
  ['announceFrom: 2026-12-02', 'it is announced after it starts'],
  ['alternatives: [cline]', 'a tool cannot be its own alternative'],
  ['alternatives: [qwen]', 'there is no tool `qwen`'],
  ['announceFrom: 2026-13-02', '`announceFrom`: write a date such as `2026-07-10`'],
  ['effectiveUntil: 2027-01-01T00:00:00', 'or an instant with its offset'],
  ['efectiveUntil: 2027-01-01', 'there is no `efectiveUntil` here; did you mean `effectiveUntil`?'],
])('%s', (line, words) => {
  const said = wordsOf(`decisions:\n${clineBan(line)}`)
  expect(said).toContain(words)
  expect(said).toMatch(/^register\/more\.yaml:\d+:\d+: /)
})
