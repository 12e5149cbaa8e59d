"""The trees of small models of libraries: would a user of the library know every row?

Each is what a reader sees, without the numbers. A release of a library may call its own functions
otherwise; then read the new tree, and change the text here if its user would know every row.
"""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from ipyflops import Report
from ipyflops.views.rows.tree import tree_rows
from tests.libraries import library
from tests.libraries.test_loops import small_llama, small_pipeline
from tests.names.programs import count_cell

pytestmark = pytest.mark.filterwarnings("ignore")
IDS = torch.arange(3, 9)[None]


def tree(report: Report, depth: int) -> str:
    """Names and types of the rows, indented."""
    rows = tree_rows(report, depth=depth, most=400)
    assert sum(row.totals.flops for row in rows if row.level == 1) == report.flops
    return "\n".join(
        f"{'  ' * (row.level - 1)}{row.full_name} {row.full_type}".rstrip() for row in rows[1:]
    )


def check(expected: str, code: str, depth: int = 2, **variables: Any) -> None:
    """Count a cell, and compare its tree with a text."""
    torch.manual_seed(0)
    report = count_cell(code, variables, device_time=False)
    assert tree(report, depth) == expected.strip()


def small_net() -> nn.Module:
    return nn.Sequential(nn.Linear(8, 8), nn.ReLU(), nn.Linear(8, 1))


class Field(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.net = nn.Sequential(nn.Linear(4, 8), nn.Tanh(), nn.Linear(8, 4))

    def forward(self, t: Tensor, y: Tensor) -> Tensor:
        return self.net(y)  # type: ignore[no-any-return]


ASSISTED = """
draft LlamaForCausalLM
  model LlamaModel
  lm_head Linear
  (own work)
model LlamaModel
  embed_tokens Embedding
  rotary_emb LlamaRotaryEmbedding
  layers ModuleList
  norm LlamaRMSNorm
  (own work)
lm_head Linear
(own work)
"""


def test_assisted_generation() -> None:
    model, draft = small_llama().eval(), small_llama().eval()
    code = (
        "model.generate(ids, assistant_model=draft, max_new_tokens=6, do_sample=False,"
        " pad_token_id=0)"
    )
    check(ASSISTED, code, 3, model=model, draft=draft, ids=IDS)


PEFT = """
model PeftModel
  base_model.model LlamaForCausalLM
    model LlamaModel
      embed_tokens Embedding
      rotary_emb LlamaRotaryEmbedding
      layers ModuleList
      norm LlamaRMSNorm
      (own work)
    lm_head Linear
    (own work)
In[1]:2 loss.backward() (counted in the modules)
"""


@pytest.mark.parametrize("dora", [False, True], ids=["lora", "dora"])
def test_peft(dora: bool) -> None:
    peft = library("peft")
    config = peft.LoraConfig(target_modules=["q_proj"], use_dora=dora, r=2)
    model = peft.get_peft_model(small_llama(), config)
    code = "loss = model(input_ids=ids, labels=ids).loss\nloss.backward()"
    check(PEFT, code, 4, model=model, ids=IDS)


ACCELERATE = """
In[1]:3 loss = net(x).sum()
net Sequential
  0 Linear
  1 ReLU
  2 Linear
backward function (accelerate) (counted in the modules)
clip_grad_norm_ function (accelerate)
opt AcceleratedOptimizer
"""


def test_accelerate() -> None:
    accelerator = library("accelerate").Accelerator(cpu=True)
    net = small_net()
    net, opt = accelerator.prepare(net, torch.optim.Adam(net.parameters()))
    code = """
for _ in range(3):
    loss = net(x).sum()
    accelerator.backward(loss)
    accelerator.clip_grad_norm_(net.parameters(), 1.0)
    opt.step()
    opt.zero_grad()
"""
    check(ACCELERATE, code, net=net, opt=opt, accelerator=accelerator, x=torch.randn(4, 8))


LIGHTNING = """
fit function (lightning)
  has_len_all_ranks function
  4 rows with few FLOPs
model Regression
  net Sequential
    0 Linear
    1 ReLU
    2 Linear
  (own work)
optimizer (lightning) LightningAdam
"""


def test_lightning() -> None:
    lightning = library("lightning")

    class Regression(lightning.LightningModule):  # type: ignore[misc, name-defined]
        def __init__(self) -> None:
            super().__init__()
            self.net = small_net()

        def training_step(self, batch: Any, index: int) -> Tensor:
            return self.net(batch[0]).pow(2).mean()  # type: ignore[no-any-return]

        def configure_optimizers(self) -> Any:
            return torch.optim.Adam(self.parameters())

    data = torch.utils.data.TensorDataset(torch.randn(12, 8))
    trainer = lightning.Trainer(
        max_epochs=1,
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        accelerator="cpu",
        gradient_clip_val=1.0,
    )
    loader = torch.utils.data.DataLoader(data, batch_size=4)
    check(
        LIGHTNING, "trainer.fit(model, data)", 3, trainer=trainer, model=Regression(), data=loader
    )


DIFFUSERS = """
DDPMPipeline function (diffusers)
  randn_tensor function
  step function
  previous_timestep function
  _get_variance function
  (own work)
pipe.unet UNet2DModel
  time_proj Timesteps
  time_embedding TimestepEmbedding
  conv_in Conv2d
  down_blocks ModuleList
  mid_block UNetMidBlock2D
  up_blocks ModuleList
  conv_norm_out GroupNorm
  conv_act SiLU
  conv_out Conv2d
  (own work)
"""


def test_diffusers() -> None:
    check(
        DIFFUSERS,
        "pipe(num_inference_steps=2, output_type='np')",
        pipe=small_pipeline("DDPMScheduler"),
    )


GPYTORCH = """
In[1]:3 loss = -mll(gp(x), y)
gp Process
  mean ConstantMean
  kernel ScaleKernel
  likelihood.noise_covar.raw_noise_constraint GreaterThan
  (own work)
mll ExactMarginalLogLikelihood
  likelihood.noise_covar.raw_noise_constraint GreaterThan
  model.kernel ScaleKernel
  (own work)
In[1]:4 loss.backward() (counted in the modules)
opt Adam
likelihood GaussianLikelihood
  noise_covar.raw_noise_constraint GreaterThan
covariance_matrix.to_dense function (linear_operator)
"""


def test_gpytorch() -> None:
    gpytorch = library("gpytorch")

    class Process(gpytorch.models.ExactGP):  # type: ignore[misc, name-defined]
        def __init__(self, x: Tensor, y: Tensor, likelihood: Any) -> None:
            super().__init__(x, y, likelihood)
            self.mean = gpytorch.means.ConstantMean()
            self.kernel = gpytorch.kernels.ScaleKernel(gpytorch.kernels.RBFKernel())

        def forward(self, x: Tensor) -> Any:
            return gpytorch.distributions.MultivariateNormal(self.mean(x), self.kernel(x))

    x = torch.linspace(0, 1, 20)
    y = torch.sin(x)
    likelihood = gpytorch.likelihoods.GaussianLikelihood()
    gp = Process(x, y, likelihood)
    mll = gpytorch.mlls.ExactMarginalLogLikelihood(likelihood, gp)
    code = """
for _ in range(2):
    loss = -mll(gp(x), y)
    loss.backward()
    opt.step()
gp.eval(), likelihood.eval()
covariance = likelihood(gp(x)).covariance_matrix
"""
    opt = torch.optim.Adam(gp.parameters())
    check(GPYTORCH, code, gp=gp, mll=mll, likelihood=likelihood, opt=opt, x=x, y=y)


TORCHDIFFEQ = {
    "rk4": """
odeint function (torchdiffeq)
  _check_timelike function
  _assert_increasing function
  integrate function
  rk4_alt_step_func function
  2 rows with few FLOPs
func (torchdiffeq) _PerturbFunc
func Field
  net Sequential
""",
    "dopri5": """
odeint function (torchdiffeq)
  _check_timelike function
  _assert_increasing function
  _select_initial_step function
  _rms_norm function
  _advance function
  _adaptive_step function
  _runge_kutta_step function
  _compute_error_ratio function
  _interp_fit function
  _optimal_step_size function
  _interp_evaluate function
  5 rows with few FLOPs
func (torchdiffeq) _PerturbFunc
func Field
  net Sequential
""",
}


@pytest.mark.parametrize("method", ["rk4", "dopri5"])
def test_torchdiffeq(method: str) -> None:
    odeint = library("torchdiffeq").odeint
    variables = {"func": Field(), "odeint": odeint, "y0": torch.randn(3, 4)}
    check(
        TORCHDIFFEQ[method],
        f"odeint(func, y0, t, method={method!r})",
        t=torch.linspace(0, 1, 5),
        **variables,
    )


TORCHSDE = """
sdeint function (torchsde)
  BrownianInterval function
  diagonal_or_scalar_step function
  _increment_and_space_time_levy_area function
  _H_to_U function
  linear_interp function
  3 rows with few FLOPs
sde Equation
  mu Linear
  sigma Linear
  (own work)
sde (torchsde) ForwardSDE
"""


def test_torchsde() -> None:
    class Equation(nn.Module):
        noise_type = "diagonal"
        sde_type = "ito"

        def __init__(self) -> None:
            super().__init__()
            self.mu, self.sigma = nn.Linear(4, 4), nn.Linear(4, 4)

        def f(self, t: Tensor, y: Tensor) -> Tensor:
            return self.mu(y)  # type: ignore[no-any-return]

        def g(self, t: Tensor, y: Tensor) -> Tensor:
            return torch.sigmoid(self.sigma(y))

    sdeint = library("torchsde").sdeint
    variables = {"sde": Equation(), "sdeint": sdeint, "y0": torch.randn(3, 4)}
    check(TORCHSDE, "sdeint(sde, y0, ts, dt=0.25)", ts=torch.linspace(0, 1, 3), **variables)


SKORCH = """
fit function (skorch)
  initialized_instance function
  run_single_epoch function
  train_step_single function
net.optimizer_ SGD
net.module_ Net
  lin Linear
net.criterion_ MSELoss
"""


def test_skorch() -> None:
    skorch = library("skorch")

    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.lin = nn.Linear(4, 1)

        def forward(self, x: Tensor) -> Tensor:
            return self.lin(x)  # type: ignore[no-any-return]

    net = skorch.NeuralNetRegressor(Net, max_epochs=2, verbose=0, train_split=None)
    check(SKORCH, "net.fit(x, y)", net=net, x=torch.randn(8, 4), y=torch.randn(8, 1))


class Agent:
    """As agents of stable-baselines and others are written."""

    def __init__(self) -> None:
        self.actor, self.critic = nn.Linear(4, 2), nn.Linear(4, 1)
        self.opt = torch.optim.Adam([*self.actor.parameters(), *self.critic.parameters()])

    def compute_loss(self, states: Tensor, returns: Tensor) -> Tensor:
        policy = torch.distributions.Categorical(logits=self.actor(states))
        advantage = returns - self.critic(states).squeeze(-1)
        return (advantage**2 - policy.log_prob(policy.sample()) * advantage.detach()).mean()

    def learn(self, states: Tensor, returns: Tensor) -> None:
        self.opt.zero_grad()
        self.compute_loss(states, returns).backward()
        nn.utils.clip_grad_norm_(self.actor.parameters(), 0.5)
        self.opt.step()


AGENT = """
learn function
  compute_loss function
    Categorical function (torch)
    sample function (torch)
    log_prob function (torch)
    (own work)
  clip_grad_norm_ function (torch)
  (own work)
agent.opt Adam
agent.actor Linear
agent.critic Linear
"""


def test_an_agent() -> None:
    states, returns = torch.randn(6, 4), torch.randn(6)
    check(AGENT, "agent.learn(s, r)", 3, agent=Agent(), s=states, r=returns)
