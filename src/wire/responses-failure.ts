/**
 * The two events by which the OpenAI Responses wire says "this answer failed": Codex and opencode
 * show the message of `response.failed` and nothing else when its code is `invalid_prompt`. With a
 * code of our own, Codex takes it for a broken stream and asks six times.
 *
 * https://platform.openai.com/docs/api-reference/responses-streaming
 */
export function responsesFailure(message: string, id: string): readonly [string, string] {
  const response = {
    id: `resp_${id}`,
    object: 'response',
    created_at: 0,
    status: 'in_progress',
    error: null as { code: string; message: string } | null,
    incomplete_details: null,
    instructions: null,
    max_output_tokens: null,
    model: '',
    output: [] as unknown[],
    parallel_tool_calls: true,
    previous_response_id: null,
    reasoning: { effort: null, summary: null },
    store: false,
    temperature: null,
    text: { format: { type: 'text' } },
    tool_choice: 'auto',
    tools: [],
    top_p: null,
    truncation: 'disabled',
    usage: null,
    user: null,
    metadata: {},
  }
  const created = { type: 'response.created', sequence_number: 0, response }
  const failed = {
    type: 'response.failed',
    sequence_number: 1,
    response: { ...response, status: 'failed', error: { code: 'invalid_prompt', message } },
  }
  return [JSON.stringify(created), JSON.stringify(failed)]
}
