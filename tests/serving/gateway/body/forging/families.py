"""Chat models of six families as their authors publish them: special tokens, normalizer and chat template.

Each is a real tokenizer of the tokenizers library, whose plain text is bytes without merges: merges change no special
id. The templates are shortened where that changes nothing of what stands beside a client's text.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from tokenizers import AddedToken, Tokenizer, decoders, models, normalizers, pre_tokenizers
from transformers import PreTrainedTokenizerFast


@dataclass(frozen=True, slots=True)
class ChatFamily:
    """What is published of a family, and how a request to it may look."""

    special: tuple[str, ...]
    template: str
    added: tuple[str, ...] = ()
    """Added tokens that its tokenizer does not call special."""
    normalizer: normalizers.Normalizer | None = None
    pieces: bool = False
    """Whether its template reads the parts of a content by itself (vLLM's content format `openai`)."""
    system: bool = True
    """Whether a system message may stand first."""
    tools: bool = False
    documents: bool = False
    stripped: bool = False
    """Whether tokens take the blanks behind them with them."""

    def save(self, folder: Path) -> Path:
        """A folder as an engine is given: tokenizer.json, tokenizer_config.json, chat_template.jinja."""
        alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
        tokenizer = Tokenizer(models.BPE({char: place for place, char in enumerate(alphabet)}, []))
        if self.normalizer is not None:
            tokenizer.normalizer = self.normalizer
        tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
        tokenizer.decoder = decoders.ByteLevel()
        strip = {"rstrip": self.stripped, "normalized": False}
        tokenizer.add_special_tokens([AddedToken(token, **strip) for token in self.special])
        tokenizer.add_tokens([AddedToken(token, normalized=False) for token in self.added])
        made = PreTrainedTokenizerFast(tokenizer_object=tokenizer, chat_template=self.template)
        made.save_pretrained(str(folder))
        return folder


LLAMA = ChatFamily(
    special=(
        "<|begin_of_text|>",
        "<|end_of_text|>",
        "<|start_header_id|>",
        "<|end_header_id|>",
        "<|eot_id|>",
        "<|eom_id|>",
        "<|python_tag|>",
        "<|finetune_right_pad_id|>",
        "<|image|>",
        "<|step_id|>",
        *(f"<|reserved_special_token_{n}|>" for n in range(247)),
    ),
    template=r"""{{- bos_token or '<|begin_of_text|>' }}
{%- if tools %}{{- '<|start_header_id|>system<|end_header_id|>\n\nEnvironment: ipython\n' }}
{%- for t in tools %}{{- t | tojson(indent=4) }}{{- '\n\n' }}{%- endfor %}{{- '<|eot_id|>' }}{%- endif %}
{%- for message in messages %}
{%- if message.role == 'tool' or message.role == 'ipython' %}
{{- '<|start_header_id|>ipython<|end_header_id|>\n\n' }}
{%- if message.content is mapping or message.content is iterable %}{{- message.content | tojson }}
{%- else %}{{- message.content }}{%- endif %}{{- '<|eot_id|>' }}
{%- elif message.tool_calls %}{%- set tool_call = message.tool_calls[0].function %}
{{- '<|start_header_id|>assistant<|end_header_id|>\n\n' -}}
{{- '{"name": "' + tool_call.name + '", "parameters": ' }}{{- tool_call.arguments | tojson }}{{- '}<|eot_id|>' }}
{%- else %}{{- '<|start_header_id|>' + message['role'] + '<|end_header_id|>\n\n' }}
{%- if message['content'] is string %}{{- message['content'] | trim }}
{%- else %}{%- for content in message['content'] %}
{%- if content['type'] == 'image' %}{{- '<|image|>' }}{%- elif content['type'] == 'text' %}{{- content['text'] }}
{%- endif %}{%- endfor %}{%- endif %}{{- '<|eot_id|>' }}{%- endif %}{%- endfor %}
{%- if add_generation_prompt %}{{- '<|start_header_id|>assistant<|end_header_id|>\n\n' }}{%- endif %}""",
    pieces=True,
    tools=True,
)
"""Llama 3.2 Vision."""

MISTRAL = ChatFamily(
    special=(
        "<unk>",
        "<s>",
        "</s>",
        "[INST]",
        "[/INST]",
        "[AVAILABLE_TOOLS]",
        "[/AVAILABLE_TOOLS]",
        "[TOOL_RESULTS]",
        "[/TOOL_RESULTS]",
        "[TOOL_CALLS]",
        "[IMG]",
        "[IMG_BREAK]",
        "[IMG_END]",
        "[PREFIX]",
        "[MIDDLE]",
        "[SUFFIX]",
        "[SYSTEM_PROMPT]",
        "[/SYSTEM_PROMPT]",
        "[TOOL_CONTENT]",
        *(f"<SPECIAL_{n}>" for n in range(20, 60)),
    ),
    template=r"""{{- '<s>' }}{%- if messages[0]['role'] == 'system' %}
{%- if messages[0]['content'] is string %}{%- set system_message = messages[0]['content'] %}
{%- else %}{%- set system_message = messages[0]['content'][0]['text'] %}{%- endif %}
{%- set loop_messages = messages[1:] %}{{- '[SYSTEM_PROMPT]' + system_message + '[/SYSTEM_PROMPT]' }}
{%- else %}{%- set loop_messages = messages %}{%- endif %}
{%- if tools %}{{- '[AVAILABLE_TOOLS]' + (tools | tojson) + '[/AVAILABLE_TOOLS]' }}{%- endif %}
{%- for message in loop_messages %}
{%- if message['role'] == 'user' %}
{%- if message['content'] is string %}{{- '[INST]' + message['content'] + '[/INST]' }}
{%- else %}{{- '[INST]' }}{%- for block in message['content'] %}
{%- if block['type'] == 'text' %}{{- block['text'] }}{%- elif block['type'] == 'image' %}{{- '[IMG]' }}{%- endif %}
{%- endfor %}{{- '[/INST]' }}{%- endif %}
{%- elif message['role'] == 'system' %}{{- '[SYSTEM_PROMPT]' + (message['content'] | string) + '[/SYSTEM_PROMPT]' }}
{%- elif message['role'] == 'assistant' and message.tool_calls %}{{- '[TOOL_CALLS]' }}
{%- for call in message.tool_calls %}
{{- '{"name": "' + call.function.name + '", "arguments": ' + (call.function.arguments | tojson) + '}' }}{%- endfor %}
{{- '</s>' }}
{%- elif message['role'] == 'assistant' %}
{%- if message['content'] is string %}{{- message['content'] + '</s>' }}
{%- else %}{%- for block in message['content'] %}{{- block['text'] }}{%- endfor %}{{- '</s>' }}{%- endif %}
{%- elif message['role'] == 'tool' %}
{{- '[TOOL_RESULTS]{"content": ' + (message.content | string) + '}[/TOOL_RESULTS]' }}
{%- else %}{{- raise_exception('Only user, system, assistant and tool roles are supported!') }}{%- endif %}
{%- endfor %}""",
    normalizer=normalizers.Replace(" ", "▁"),
    pieces=True,
    tools=True,
)
"""Mistral Small 3.1 (tekken v7)."""

GEMMA = ChatFamily(
    special=(
        "<pad>",
        "<eos>",
        "<bos>",
        "<unk>",
        "<mask>",
        "<start_of_turn>",
        "<end_of_turn>",
        "<start_of_image>",
        "<end_of_image>",
        "<image_soft_token>",
    ),
    added=(
        "[multimodal]",
        *(f"<unused{n}>" for n in range(99)),
        "\n\n",
        "\n\n\n",
        "▁▁",
        "▁▁▁",
        "<table>",
        "</h1>",
        "<b>",
    ),
    template=r"""{{ '<bos>' }}{%- if messages[0]['role'] == 'system' -%}
{%- if messages[0]['content'] is string -%}{%- set first_user_prefix = messages[0]['content'] + '\n\n' -%}
{%- else -%}{%- set first_user_prefix = messages[0]['content'][0]['text'] + '\n\n' -%}{%- endif -%}
{%- set loop_messages = messages[1:] -%}
{%- else -%}{%- set first_user_prefix = "" -%}{%- set loop_messages = messages -%}{%- endif -%}
{%- for message in loop_messages -%}
{%- if (message['role'] == 'assistant') -%}{%- set role = "model" -%}
{%- else -%}{%- set role = message['role'] -%}{%- endif -%}
{{ '<start_of_turn>' + role + '\n' + (first_user_prefix if loop.first else "") }}
{%- if message['content'] is string -%}{{ message['content'] | trim }}
{%- elif message['content'] is iterable -%}{%- for item in message['content'] -%}
{%- if item['type'] == 'image' -%}{{ '<start_of_image>' }}
{%- elif item['type'] == 'text' -%}{{ item['text'] | trim }}{%- endif -%}{%- endfor -%}
{%- else -%}{{ raise_exception("Invalid content type") }}{%- endif -%}{{ '<end_of_turn>\n' }}{%- endfor -%}
{%- if add_generation_prompt -%}{{ '<start_of_turn>model\n' }}{%- endif -%}""",
    normalizer=normalizers.Replace(" ", "▁"),
    pieces=True,
)
"""Gemma 3."""

PHI = ChatFamily(
    special=(
        "<|endoftext|>",
        "<|assistant|>",
        "<|end|>",
        "<|user|>",
        "<|system|>",
        "<|tool|>",
        "<|/tool|>",
        "<|tool_call|>",
        "<|/tool_call|>",
        "<|tool_response|>",
        "<|tag|>",
        *(f"<|dummy_{n}|>" for n in range(84)),
    ),
    template=r"""{% for message in messages %}{% if message['role'] == 'system' and 'tools' in message
and message['tools'] is not none %}{{ '<|' + message['role'] + '|>' + message['content']
+ '<|tool|>' + message['tools'] + '<|/tool|>' + '<|end|>' }}{% else %}{{
'<|' + message['role'] + '|>' + message['content'] + '<|end|>' }}{% endif %}{% endfor %}{%
if add_generation_prompt %}{{ '<|assistant|>' }}{% else %}{{ '<|endoftext|>' }}{% endif %}""",
    stripped=True,
)
"""Phi-4-mini: the role of a message stands between the halves of a token."""

DEEPSEEK = ChatFamily(
    special=("<｜begin▁of▁sentence｜>", "<｜end▁of▁sentence｜>", "<｜▁pad▁｜>"),
    added=(
        "<｜User｜>",
        "<｜Assistant｜>",
        "<|EOT|>",
        "<｜tool▁calls▁begin｜>",
        "<｜tool▁calls▁end｜>",
        "<｜tool▁call▁begin｜>",
        "<｜tool▁call▁end｜>",
        "<｜tool▁outputs▁begin｜>",
        "<｜tool▁outputs▁end｜>",
        "<｜tool▁output▁begin｜>",
        "<｜tool▁output▁end｜>",
        "<｜tool▁sep｜>",
        *(f"<｜place▁holder▁no▁{n}｜>" for n in range(100)),
    ),
    template=r"""{% set ns = namespace(system_prompt='', is_first_sp=true) %}
{%- for message in messages %}{%- if message['role'] == 'system' %}
{%- if ns.is_first_sp %}{% set ns.system_prompt = ns.system_prompt + message['content'] %}
{%- set ns.is_first_sp = false %}
{%- else %}{% set ns.system_prompt = ns.system_prompt + '\n\n' + message['content'] %}{%- endif %}
{%- endif %}{%- endfor %}
{{- '<｜begin▁of▁sentence｜>' }}{{ ns.system_prompt }}
{%- for message in messages %}
{%- if message['role'] == 'user' %}{{- '<｜User｜>' + message['content'] + '<｜Assistant｜>' }}{%- endif %}
{%- if message['role'] == 'assistant' and message.tool_calls %}{{- '<｜tool▁calls▁begin｜>' }}
{%- for tool in message['tool_calls'] %}
{{- '<｜tool▁call▁begin｜>' + tool['type'] + '<｜tool▁sep｜>' + tool['function']['name'] + '\n' + '```json' + '\n' }}
{{- tool['function']['arguments'] | tojson }}{{- '\n' + '```' + '<｜tool▁call▁end｜>' }}{%- endfor %}
{{- '<｜tool▁calls▁end｜><｜end▁of▁sentence｜>' }}
{%- elif message['role'] == 'assistant' %}{{- message['content'] + '<｜end▁of▁sentence｜>' }}{%- endif %}
{%- if message['role'] == 'tool' %}{{- '<｜tool▁outputs▁begin｜><｜tool▁output▁begin｜>' + message['content'] }}
{{- '<｜tool▁output▁end｜><｜tool▁outputs▁end｜>' }}{%- endif %}{%- endfor %}""",
    tools=True,
)
"""DeepSeek V3."""

GRANITE = ChatFamily(
    special=(
        "<|end_of_text|>",
        "<fim_prefix>",
        "<fim_middle>",
        "<fim_suffix>",
        "<fim_pad>",
        "<filename>",
        "<reponame>",
        "<|start_of_role|>",
        "<|end_of_role|>",
        "<|tool_call|>",
    ),
    template=r"""{%- if messages[0]['role'] == 'system' %}{%- set system_message = messages[0]['content'] %}
{%- set loop_messages = messages[1:] %}{%- else %}{%- set system_message = "Today's Date: " + today %}
{%- set loop_messages = messages %}{%- endif %}
{{- '<|start_of_role|>system<|end_of_role|>' + system_message + '<|end_of_text|>\n' }}
{%- if tools %}{{- '<|start_of_role|>tools<|end_of_role|>' }}{{- tools | tojson(indent=4) }}{{- '<|end_of_text|>\n' }}
{%- endif %}
{%- if documents %}{{- '<|start_of_role|>documents<|end_of_role|>' }}
{%- for document in documents %}{{- 'Document ' + loop.index0 | string + '\n' }}{{- document['text'] }}
{%- if not loop.last %}{{- '\n\n' }}{%- endif %}{%- endfor %}
{{- '<|end_of_text|>\n' }}{%- endif %}
{%- for message in loop_messages %}
{{- '<|start_of_role|>' + message['role'] + '<|end_of_role|>' + message['content'] + '<|end_of_text|>\n' }}{%- endfor %}
{%- if add_generation_prompt %}{{- '<|start_of_role|>assistant' }}
{%- if controls %}{{- ' ' + controls | tojson() }}{%- endif %}{{- '<|end_of_role|>' }}{%- endif %}""",
    normalizer=normalizers.NFC(),
    tools=True,
    documents=True,
)
"""Granite 3.2: documents, and values of `chat_template_kwargs`."""

FAMILIES = {
    "llama": LLAMA, "mistral": MISTRAL, "gemma": GEMMA, "phi": PHI, "deepseek": DEEPSEEK, "granite": GRANITE,
}  # fmt: skip
