"""Well-known networks in plain PyTorch, one to a file.

The tutorials, the demo and the tests count on them: their layouts and parameter counts are the
published ones, and every size is an argument, so that a test can make one tiny. Weights are random,
drawn from PyTorch's generator; ``torch.manual_seed`` makes them the same each time.
"""

from .bert import Bert, BertConfig, bert_base
from .gpt2 import GPT2, GPT2Config, gpt2_small
from .llama import Llama, LlamaConfig, llama_8b, llama_70b, llama_405b
from .mobilenet import MobileNetV2, mobilenet_v2
from .resnet import ResNet, resnet50
from .transformer import TransformerLM

__all__ = [
    "GPT2",
    "Bert",
    "BertConfig",
    "GPT2Config",
    "Llama",
    "LlamaConfig",
    "MobileNetV2",
    "ResNet",
    "TransformerLM",
    "bert_base",
    "gpt2_small",
    "llama_8b",
    "llama_70b",
    "llama_405b",
    "mobilenet_v2",
    "resnet50",
]
