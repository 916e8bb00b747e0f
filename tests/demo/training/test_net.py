"""The lean network is Llama's arithmetic."""

import torch

from demo.training.model import build
from demo.training.net import Net, document_mask, rotary


def test_the_lean_network_equals_transformers_on_packed_documents(words) -> None:
    reference = build("student", words, 3).eval()
    net = Net(reference.config)
    net.load_state_dict(reference.state_dict())
    ids, documents = torch.randint(0, 4096, (2, 40)), torch.zeros(2, 40, dtype=torch.long)
    documents[:, 17:] = 1
    with torch.no_grad():
        packed = net.logits(net.model(ids, document_mask(documents), *rotary(40)))
        apart = torch.cat((reference(ids[:, :17]).logits, reference(ids[:, 17:]).logits), dim=1)
    torch.testing.assert_close(packed, apart, atol=1e-4, rtol=1e-4)
