"""One model in training: network, optimisers, schedule, checkpoint."""

import os
import time
from pathlib import Path

import torch
import torch.nn.functional as F
from transformers import LlamaForCausalLM, PreTrainedTokenizerFast

from demo import world
from demo.training.ask import pass_rates, replies
from demo.training.model import Size, build
from demo.training.net import Net, document_mask, rotary
from demo.training.rows import ROW, Batch, Mix, Pieces, batch
from online_distill.models import pick_numbers

WARM_STEPS, DECAY_SHARE = 60, 0.35


def rate_factor(step: int, steps: int) -> float:
    """Warm up, stay, then fall linearly to zero over the last DECAY_SHARE of the steps."""
    left = (steps - step) / max(1.0, DECAY_SHARE * steps)
    return min(1.0, (step + 1) / WARM_STEPS, max(0.0, left))


class DemoLearner:
    """Advances one model step by step; everything it needs to continue is in its checkpoint."""

    def __init__(self, size: Size, tokenizer: PreTrainedTokenizerFast, rate: float, mix: Mix, path: Path) -> None:
        torch.set_num_threads(1)
        if hasattr(torch.cpu, "_init_amx"):
            torch.cpu._init_amx()
        self.size, self.tokenizer, self.path, self.step = size, tokenizer, path, 0
        self.shape = build(size, tokenizer, mix.seed)
        self.net = Net(self.shape.config)
        self.net.load_state_dict(self.shape.state_dict())
        self.pieces = Pieces(tokenizer, mix)
        matrices = [p for p in self.net.model.layers.parameters() if p.ndim == 2]
        others = [p for p in self.net.parameters() if all(p is not m for m in matrices)]
        self.optimisers: list[torch.optim.Optimizer] = [
            torch.optim.Muon(matrices, lr=rate, weight_decay=0.05, momentum=0.95, adjust_lr_fn="match_rms_adamw"),
            torch.optim.AdamW(others, lr=rate, betas=(0.9, 0.95), weight_decay=0.01, fused=True),
        ]
        self.rate = rate
        self.hidden = torch.compile(self.net.model, dynamic=False)
        cos, sin = rotary(ROW)
        numbers = pick_numbers(torch.device("cpu"))
        self.cos, self.sin = cos.to(numbers), sin.to(numbers)
        if path.exists():
            self._restore()

    def _restore(self) -> None:
        stored = torch.load(self.path, weights_only=True)
        self.net.load_state_dict(stored["net"])
        for optimiser, state in zip(self.optimisers, stored["optimisers"], strict=True):
            optimiser.load_state_dict(state)
        self.step = stored["step"]

    def save(self) -> None:
        """Write the checkpoint in one move, so that a kill leaves the old one or the new one."""
        fresh = self.path.with_suffix(".new")
        stored = {
            "net": self.net.state_dict(),
            "optimisers": [optimiser.state_dict() for optimiser in self.optimisers],
            "step": self.step,
        }
        torch.save(stored, fresh)
        os.replace(fresh, self.path)

    def loss(self, drawn: Batch) -> torch.Tensor:
        """Mean cross-entropy (nats) over the graded tokens, by weight."""
        hidden = self.hidden(drawn.ids, document_mask(drawn.documents), self.cos, self.sin)
        logits = self.net.logits(hidden.reshape(-1, hidden.shape[-1])[drawn.at]).float()
        each = F.cross_entropy(logits, drawn.target, reduction="none")
        return (each * drawn.weight).sum() / drawn.weight.sum()

    def advance(self, steps: int) -> tuple[float, float]:
        """One step of a run of `steps`: its loss (nats) and pace (tokens a second)."""
        began = time.monotonic()
        factor = rate_factor(self.step, steps)
        for optimiser in self.optimisers:
            for group in optimiser.param_groups:
                group["lr"] = self.rate * factor
        drawn = batch(self.pieces, self.step)
        loss = self.loss(drawn)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.net.parameters(), 1.0)
        for optimiser in self.optimisers:
            optimiser.step()
            optimiser.zero_grad(set_to_none=True)
        self.step += 1
        return loss.item(), drawn.ids.numel() / (time.monotonic() - began)

    def exportable(self) -> LlamaForCausalLM:
        """The same weights as a transformers model, float32."""
        self.shape.load_state_dict(self.net.state_dict())
        return self.shape.eval()

    def evaluate(self, count: int) -> dict[str, dict[str, float]]:
        """Pass rates on `count` held-out samples of each family."""
        found = {}
        for family in ("general", "drift"):
            samples = world.stream(901, "eval", family, count)
            answers = replies(self.exportable(), self.tokenizer, [s.messages for s in samples])
            found[family] = pass_rates(samples, answers)
        return found
