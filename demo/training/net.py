"""The training-time network: Llama's arithmetic on packed rows, with Hugging Face's parameter names.

transformers' own module was measured first: it pads instead of packing and computes logits everywhere,
which costs about half of the throughput on one core. A test compares the two, so they cannot drift apart.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from transformers import LlamaConfig

HEAD = 64


def rotary(length: int, theta: float = 10000.0) -> tuple[Tensor, Tensor]:
    """Cosine and sine tables, each (length, HEAD)."""
    frequencies = theta ** (-torch.arange(0, HEAD, 2).float() / HEAD)
    angles = torch.outer(torch.arange(length).float(), frequencies).repeat(1, 2)
    return angles.cos(), angles.sin()


def _turn(x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    first, second = x.chunk(2, dim=-1)
    return x * cos + torch.cat((-second, first), dim=-1) * sin


class Norm(nn.Module):
    """Root-mean-square norm."""

    def __init__(self, width: int, eps: float) -> None:
        super().__init__()
        self.weight, self.eps = nn.Parameter(torch.ones(width)), eps

    def forward(self, x: Tensor) -> Tensor:
        """Same shape and type as `x`; the statistics are float32."""
        wide = x.float()
        return (wide * torch.rsqrt(wide.square().mean(-1, keepdim=True) + self.eps) * self.weight).to(x.dtype)


def _linear(x: Tensor, *layers: nn.Linear) -> tuple[Tensor, ...]:
    """Several linear layers of one input as one product in the type of `x`."""
    weight = torch.cat([layer.weight for layer in layers]).to(x.dtype)
    parts: tuple[Tensor, ...] = F.linear(x, weight).split([layer.out_features for layer in layers], dim=-1)
    return parts


class Attention(nn.Module):
    """Multi-head attention within the documents of a packed row."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.q_proj, self.k_proj, self.v_proj, self.o_proj = (nn.Linear(width, width, bias=False) for _ in range(4))

    def forward(self, x: Tensor, mask: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
        """`x` (rows, length, width), `mask` (rows, 1, length, length), True where position i may look at j."""
        rows, length, width = x.shape
        q, k, v = (
            part.reshape(rows, length, -1, HEAD).transpose(1, 2)
            for part in _linear(x, self.q_proj, self.k_proj, self.v_proj)
        )
        mixed = F.scaled_dot_product_attention(_turn(q, cos, sin), _turn(k, cos, sin), v, attn_mask=mask)
        return _linear(mixed.transpose(1, 2).reshape(rows, length, width), self.o_proj)[0]


class Mlp(nn.Module):
    """Gated feed-forward layer."""

    def __init__(self, width: int, inner: int) -> None:
        super().__init__()
        self.gate_proj, self.up_proj = (nn.Linear(width, inner, bias=False) for _ in range(2))
        self.down_proj = nn.Linear(inner, width, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """Same shape as `x`."""
        gate, up = _linear(x, self.gate_proj, self.up_proj)
        return _linear(F.silu(gate) * up, self.down_proj)[0]


class Layer(nn.Module):
    """One decoder layer."""

    def __init__(self, width: int, inner: int, eps: float) -> None:
        super().__init__()
        self.self_attn, self.mlp = Attention(width), Mlp(width, inner)
        self.input_layernorm, self.post_attention_layernorm = Norm(width, eps), Norm(width, eps)

    def forward(self, x: Tensor, mask: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
        """Same shape as `x`."""
        x = x + self.self_attn(self.input_layernorm(x), mask, cos, sin)
        return x + self.mlp(self.post_attention_layernorm(x))


class Backbone(nn.Module):
    """Everything but the output head."""

    def __init__(self, config: LlamaConfig) -> None:
        super().__init__()
        self.embed_tokens = nn.Embedding(config.vocab_size, config.hidden_size)
        shape = (config.hidden_size, config.intermediate_size, config.rms_norm_eps)
        self.layers = nn.ModuleList([Layer(*shape) for _ in range(config.num_hidden_layers)])
        self.norm = Norm(config.hidden_size, config.rms_norm_eps)

    def forward(self, ids: Tensor, mask: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
        """Hidden states (rows, length, width) in the type of `cos`."""
        x = self.embed_tokens(ids).to(cos.dtype)
        for layer in self.layers:
            x = layer(x, mask, cos, sin)
        return self.norm(x)


class Net(nn.Module):
    """Backbone and head; its state dict loads into LlamaForCausalLM and back."""

    def __init__(self, config: LlamaConfig) -> None:
        super().__init__()
        self.model = Backbone(config)
        self.lm_head = nn.Linear(config.hidden_size, config.vocab_size, bias=False)

    def logits(self, hidden: Tensor) -> Tensor:
        """Logits (n, vocab) of hidden states (n, width)."""
        return F.linear(hidden, self.lm_head.weight.to(hidden.dtype))


def document_mask(documents: Tensor) -> Tensor:
    """From document numbers (rows, length), who may look at whom: the same document and not the future."""
    length = documents.shape[1]
    same = documents[:, None, :, None] == documents[:, None, None, :]
    return same & torch.ones(length, length, dtype=torch.bool).tril()
