import type { BlockKind } from '#words/content.ts'

/** Where the parts of a request stand in one wire format. Data, so that a new format is a table. */
export type VisitTable = {
  /** Members whose array elements are conversation items with `role` or `type` and `content`. */
  readonly items: ReadonlySet<string>
  /** Members that are a list of blocks of one kind, or one such block. */
  readonly lists: ReadonlyMap<string, BlockKind>
  /** Members that hold settings. Any other member is unknown: inspected, and counted. */
  readonly settings: ReadonlySet<string>
  /** `type` of an item or content part -> kind. `by-role`: what its message's role says. */
  readonly types: ReadonlyMap<string, BlockKind | 'by-role'>
}

export const roleKinds: ReadonlyMap<string, BlockKind> = new Map([
  ['user', 'user-text'],
  ['assistant', 'assistant-text'],
  ['system', 'system'],
  ['developer', 'system'],
  ['tool', 'tool-result'],
])

/** https://docs.anthropic.com/en/api/messages */
const anthropic: VisitTable = {
  items: new Set(['messages']),
  lists: new Map<string, BlockKind>([
    ['system', 'system'],
    ['tools', 'tool-definition'],
    ['mcp_servers', 'tool-definition'],
  ]),
  settings: new Set([
    'model',
    'max_tokens',
    'metadata',
    'stop_sequences',
    'stream',
    'temperature',
    'thinking',
    'tool_choice',
    'top_k',
    'top_p',
    'service_tier',
    'container',
    'context_management',
    'output_config',
    'output_format',
    'betas',
    'speed',
    'cache_control',
    'inference_geo',
  ]),
  types: new Map<string, BlockKind | 'by-role'>([
    ['text', 'by-role'],
    ['compaction', 'by-role'],
    ['image', 'image'],
    ['document', 'document'],
    ['search_result', 'document'],
    ['container_upload', 'document'],
    ['thinking', 'thinking'],
    ['redacted_thinking', 'thinking'],
    ['tool_use', 'tool-use'],
    ['server_tool_use', 'tool-use'],
    ['mcp_tool_use', 'tool-use'],
    ['tool_result', 'tool-result'],
    ['mcp_tool_result', 'tool-result'],
    ['web_search_tool_result', 'tool-result'],
    ['web_fetch_tool_result', 'tool-result'],
    ['code_execution_tool_result', 'tool-result'],
    ['bash_code_execution_tool_result', 'tool-result'],
    ['text_editor_code_execution_tool_result', 'tool-result'],
    ['tool_search_tool_result', 'tool-result'],
    ['tool_reference', 'tool-result'],
  ]),
}

/** https://platform.openai.com/docs/api-reference/responses/create */
const responses: VisitTable = {
  items: new Set(['input']),
  lists: new Map<string, BlockKind>([
    ['instructions', 'system'],
    ['tools', 'tool-definition'],
    ['prompt', 'user-text'],
  ]),
  settings: new Set([
    'type',
    'event_id',
    'model',
    'background',
    'client_metadata',
    'context_management',
    'conversation',
    'generate',
    'include',
    'max_output_tokens',
    'max_tool_calls',
    'metadata',
    'parallel_tool_calls',
    'previous_response_id',
    'prompt_cache_key',
    'prompt_cache_retention',
    'reasoning',
    'safety_identifier',
    'service_tier',
    'store',
    'stream',
    'stream_options',
    'temperature',
    'text',
    'tool_choice',
    'top_logprobs',
    'top_p',
    'truncation',
    'user',
  ]),
  types: new Map<string, BlockKind | 'by-role'>([
    ['message', 'by-role'],
    ['input_text', 'by-role'],
    ['output_text', 'by-role'],
    ['text', 'by-role'],
    ['refusal', 'assistant-text'],
    ['input_image', 'image'],
    ['input_file', 'document'],
    ['input_audio', 'document'],
    ['summary_text', 'thinking'],
    ['reasoning_text', 'thinking'],
    ['reasoning', 'thinking'],
    ['compaction', 'thinking'],
    ['compaction_summary', 'thinking'],
    ['item_reference', 'metadata'],
    ['mcp_list_tools', 'tool-definition'],
    ['additional_tools', 'tool-definition'],
    ['function_call', 'tool-use'],
    ['custom_tool_call', 'tool-use'],
    ['local_shell_call', 'tool-use'],
    ['shell_call', 'tool-use'],
    ['apply_patch_call', 'tool-use'],
    ['web_search_call', 'tool-use'],
    ['file_search_call', 'tool-use'],
    ['computer_call', 'tool-use'],
    ['code_interpreter_call', 'tool-use'],
    ['image_generation_call', 'tool-use'],
    ['tool_search_call', 'tool-use'],
    ['mcp_call', 'tool-use'],
    ['mcp_approval_request', 'tool-use'],
    ['mcp_approval_response', 'tool-use'],
    ['function_call_output', 'tool-result'],
    ['custom_tool_call_output', 'tool-result'],
    ['local_shell_call_output', 'tool-result'],
    ['shell_call_output', 'tool-result'],
    ['apply_patch_call_output', 'tool-result'],
    ['computer_call_output', 'tool-result'],
    ['tool_search_output', 'tool-result'],
  ]),
}

export const visitTables = {
  'anthropic-messages': anthropic,
  'openai-responses': responses,
} as const satisfies Record<string, VisitTable>
