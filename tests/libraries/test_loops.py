"""Training loops of libraries in a dry run: each counts as the real run does."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from ipyflops import DryRunError, dry_run
from tests.dry_runs.test_conversion import check
from tests.libraries import library

transformers = library("transformers")
pytestmark = pytest.mark.filterwarnings("ignore")
TOKENS = torch.randint(50, (6, 8))


def small_llama(**options: Any) -> nn.Module:
    sizes = {"hidden_size": 16, "intermediate_size": 24, "num_hidden_layers": 2, "vocab_size": 50}
    heads = {"num_attention_heads": 4, "num_key_value_heads": 2}
    return transformers.LlamaForCausalLM(transformers.LlamaConfig(**sizes, **heads, **options))


# --- Trainer -------------------------------------------------------------------------------------


class Texts(torch.utils.data.Dataset[dict[str, Tensor]]):
    """Six texts of one length."""

    def __len__(self) -> int:
        return len(TOKENS)

    def __getitem__(self, index: int) -> dict[str, Tensor]:
        return {"input_ids": TOKENS[index], "labels": TOKENS[index]}


@pytest.mark.parametrize(
    "options", [{}, {"gradient_accumulation_steps": 2}, {"bf16": True}], ids=str
)
def test_trainer(tmp_path: Any, options: dict[str, Any]) -> None:
    model = small_llama()
    arguments = transformers.TrainingArguments(
        output_dir=str(tmp_path),
        per_device_train_batch_size=2,
        max_steps=2,
        logging_steps=1,
        save_strategy="no",
        report_to=[],
        use_cpu=True,
        disable_tqdm=True,
        **options,
    )

    def run() -> None:
        transformers.Trainer(model=model, args=arguments, train_dataset=Texts()).train()

    check(run, *model.parameters())


# --- Lightning -----------------------------------------------------------------------------------


def test_lightning_fit() -> None:
    lightning = library("lightning")

    class Regression(lightning.LightningModule):  # type: ignore[misc, name-defined]
        def __init__(self) -> None:
            super().__init__()
            self.net = nn.Sequential(nn.Linear(8, 16), nn.ReLU(), nn.Linear(16, 1))

        def training_step(self, batch: Any, index: int) -> Tensor:
            x, y = batch
            loss = nn.functional.mse_loss(self.net(x), y)
            self.log("loss", loss, prog_bar=True)
            self.log("number", loss.item())
            return loss

        def configure_optimizers(self) -> Any:
            return torch.optim.AdamW(self.parameters())

    data = torch.utils.data.TensorDataset(torch.randn(6, 8), torch.randn(6, 1))
    loader = torch.utils.data.DataLoader(data, batch_size=2)
    model = Regression()

    def run() -> None:
        trainer = lightning.Trainer(
            max_steps=3,
            accelerator="cpu",
            logger=False,
            enable_checkpointing=False,
            enable_progress_bar=False,
            enable_model_summary=False,
            gradient_clip_val=1.0,
        )
        trainer.fit(model, loader)

    check(run, *model.parameters())


# --- skorch --------------------------------------------------------------------------------------


def test_skorch_fit() -> None:
    skorch = library("skorch")
    x, y = torch.randn(8, 4), torch.randint(3, (8,))

    def run() -> None:
        net = skorch.NeuralNetClassifier(
            nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 3)),
            criterion=nn.CrossEntropyLoss,
            max_epochs=2,
            batch_size=4,
            train_split=None,
            callbacks__print_log=None,
        )
        net.fit(x, y)

    check(run)


# --- PEFT ----------------------------------------------------------------------------------------


def test_peft_lora() -> None:
    peft = library("peft")
    model = peft.get_peft_model(
        small_llama(), peft.LoraConfig(r=2, target_modules=["q_proj", "v_proj"], lora_dropout=0.1)
    )
    optimizer = torch.optim.AdamW([one for one in model.parameters() if one.requires_grad])

    def run() -> None:
        model(input_ids=TOKENS, labels=TOKENS).loss.backward()
        optimizer.step()

    check(run, *model.parameters())


# --- generate ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "options",
    [
        {"min_new_tokens": 5, "max_new_tokens": 5},
        {"min_new_tokens": 5, "max_new_tokens": 5, "do_sample": True, "top_k": 5},
        {"max_new_tokens": 5, "eos_token_id": None},
        {"min_new_tokens": 5, "max_new_tokens": 5, "use_cache": False},
    ],
    ids=str,
)
def test_generation_of_a_fixed_length(options: dict[str, Any]) -> None:
    model = small_llama().eval()
    mask = torch.ones_like(TOKENS)
    if options.get("eos_token_id", 0) is None:
        model.generation_config.eos_token_id = None

    def run() -> None:
        model.generate(TOKENS, attention_mask=mask, pad_token_id=0, **options)

    check(run, *model.parameters())


def test_generation_that_ends_with_the_text_is_an_error() -> None:
    model = small_llama().eval()
    with pytest.raises(DryRunError, match=r"^.*py:\d+ \(.*utils\.py:\d+\): .*min_new_tokens"):
        dry_run(lambda: model.generate(TOKENS, max_new_tokens=5, pad_token_id=0))


# --- diffusers -----------------------------------------------------------------------------------


def small_pipeline(scheduler: str) -> Any:
    diffusers = library("diffusers")
    unet = diffusers.UNet2DModel(
        sample_size=8,
        in_channels=3,
        out_channels=3,
        layers_per_block=1,
        block_out_channels=(8, 8),
        norm_num_groups=4,
        down_block_types=("DownBlock2D", "AttnDownBlock2D"),
        up_block_types=("AttnUpBlock2D", "UpBlock2D"),
        attention_head_dim=4,
    )
    pipe = diffusers.DDPMPipeline(unet, getattr(diffusers, scheduler)())
    pipe.set_progress_bar_config(disable=True)
    return pipe


@pytest.mark.parametrize("scheduler", ["DDPMScheduler", "DDIMScheduler"])
def test_a_pipeline_of_diffusers(scheduler: str) -> None:
    pipe = small_pipeline(scheduler)

    def run() -> None:
        pipe(num_inference_steps=3, output_type="np")

    check(run, *pipe.unet.parameters())
