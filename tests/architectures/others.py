"""Generators, tables, graphs, physics: a VAE, a GAN, a diffusion model, DLRM, a GNN, a PINN."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from tests.architectures.by_hand import add
from tests.architectures.vision import UNet


class VAE(nn.Module):
    def __init__(self, pixels: int = 36, code: int = 3) -> None:
        super().__init__()
        self.encoder = nn.Sequential(nn.Linear(pixels, 16), nn.ReLU(), nn.Linear(16, 2 * code))
        self.decoder = nn.Sequential(nn.Linear(code, 16), nn.ReLU(), nn.Linear(16, pixels))

    def encode(self, x: Tensor) -> tuple[Tensor, Tensor]:
        mean, spread = self.encoder(x).chunk(2, -1)
        return mean, spread

    def decode(self, z: Tensor) -> Tensor:
        return self.decoder(z).sigmoid()  # type: ignore[no-any-return]

    def forward(self, x: Tensor) -> Tensor:
        mean, spread = self.encode(x)
        y = self.decode(mean + torch.randn_like(mean) * (spread / 2).exp())
        divergence = (mean.square() + spread.exp() - spread - 1).sum() / 2
        return F.binary_cross_entropy(y, x, reduction="sum") + divergence


class GAN(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.generator = nn.Sequential(
            nn.Linear(4, 16), nn.LeakyReLU(0.2), nn.Linear(16, 9), nn.Tanh()
        )
        self.critic = nn.Sequential(nn.Linear(9, 16), nn.LeakyReLU(0.2), nn.Linear(16, 1))

    def forward(self, real: Tensor) -> Tensor:
        """Both losses of a step; the critic sees what is made with and without its history."""
        made = self.generator(torch.randn(len(real), 4))
        ones, zeros = torch.ones(len(real), 1), torch.zeros(len(real), 1)
        judged = F.binary_cross_entropy_with_logits(self.critic(real), ones)
        judged = judged + F.binary_cross_entropy_with_logits(self.critic(made.detach()), zeros)
        return judged + F.binary_cross_entropy_with_logits(self.critic(made), ones)


class Diffusion(nn.Module):
    """The noise in an image is what a U-Net has to find."""

    def __init__(self) -> None:
        super().__init__()
        self.net = UNet(channels=2, out=1)
        self.register_buffer("kept", torch.linspace(0.99, 0.1, 10))

    def forward(self, image: Tensor) -> Tensor:
        step = torch.randint(10, (len(image), 1, 1, 1))
        kept = self.get_buffer("kept")[step]
        noise = torch.randn_like(image)
        noisy = kept.sqrt() * image + (1 - kept).sqrt() * noise
        time = (step / 10).expand_as(image)
        return F.mse_loss(self.net(torch.cat([noisy, time], 1)), noise)


class DLRM(nn.Module):
    """Sums of embeddings and dense features, each multiplied with each."""

    def __init__(self, width: int = 4) -> None:
        super().__init__()
        self.tables = nn.ModuleList(nn.EmbeddingBag(20, width, mode="sum") for _ in range(3))
        self.bottom = nn.Sequential(nn.Linear(5, width), nn.ReLU())
        self.top = nn.Sequential(nn.Linear(width + 6, 8), nn.ReLU(), nn.Linear(8, 1))

    def forward(self, dense: Tensor, sparse: Tensor) -> Tensor:
        x = self.bottom(dense)
        bags = [table(part) for table, part in zip(self.tables, sparse, strict=True)]
        features = torch.stack([x, *bags], 1)
        add(2 * features.numel() * features.shape[1])
        pairs = features @ features.transpose(1, 2)
        row, column = torch.tril_indices(4, 4, -1)
        return self.top(torch.cat([x, pairs[:, row, column]], 1)).sigmoid()  # type: ignore[no-any-return]


class GNN(nn.Module):
    """Messages along edges, added up where they arrive."""

    def __init__(self, width: int = 6) -> None:
        super().__init__()
        self.message = nn.ModuleList(nn.Linear(2 * width, width) for _ in range(2))
        self.update = nn.ModuleList(nn.Linear(2 * width, width) for _ in range(2))

    def forward(self, x: Tensor, edges: Tensor) -> Tensor:
        source, target = edges
        for message, update in zip(self.message, self.update, strict=True):
            sent = message(torch.cat([x[source], x[target]], -1)).relu()
            arrived = torch.zeros_like(x).scatter_add(0, target[:, None].expand_as(sent), sent)
            x = update(torch.cat([x, arrived], -1)).relu()
        return x


class PINN(nn.Module):
    """A network that has to solve u″ = −u."""

    def __init__(self) -> None:
        super().__init__()
        self.net = nn.Sequential(
            nn.Linear(1, 8), nn.Tanh(), nn.Linear(8, 8), nn.Tanh(), nn.Linear(8, 1)
        )

    def residual(self, points: Tensor) -> Tensor:
        x = points.requires_grad_()
        u = self.net(x)
        (first,) = torch.autograd.grad(u.sum(), x, create_graph=True)
        (second,) = torch.autograd.grad(first.sum(), x, create_graph=True)
        return (second + u).square().mean()

    def forward(self, points: Tensor) -> Tensor:
        return self.net(points)  # type: ignore[no-any-return]
