/** HTML that is safe to send. Only this file makes it; everything else is text and is escaped. */
export class Html {
  readonly text: string
  constructor(text: string) {
    this.text = text
  }
}

type Piece = string | number | Html | readonly Html[] | null

const escapes: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
}

/**
 * Escapes every value that is not HTML already. Attribute values must stand in quotes. Models and
 * releases are words that a client chose: they may hold markup, and characters that turn the
 * direction of text; those are shown by number.
 */
export function html(strings: TemplateStringsArray, ...values: readonly Piece[]): Html {
  let out = strings[0] ?? ''
  values.forEach((value, at) => {
    out += piece(value) + (strings[at + 1] ?? '')
  })
  return new Html(out)
}

function piece(value: Piece): string {
  if (value === null) return ''
  if (value instanceof Html) return value.text
  if (typeof value === 'object') return value.map((one) => one.text).join('')
  return String(value)
    .replace(/[&<>"']/g, (character) => escapes[character] ?? character)
    .replace(
      /[\p{Cc}\p{Cf}\p{Co}\p{Cn}]/gu,
      (character) =>
        `[U+${(character.codePointAt(0) ?? 0).toString(16).toUpperCase().padStart(4, '0')}]`,
    )
}
